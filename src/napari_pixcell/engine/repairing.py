"""Repair of a variant: its wrong nuclei are found, and only these spots are generated again.

A round is an ordinary generation that starts from the variant and changes an area of it. What is
new stays only where fewer nuclei are wrong than before. Imports no torch.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, label

from napari_pixcell.cells.faithfulness import Faithfulness, faithfulness
from napari_pixcell.engine.events import Emit, Event, Notice, Progress
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.presets import EXACT
from napari_pixcell.engine.repair import REPAIRING, NucleusCounts, RepairOutcome
from napari_pixcell.engine.request_values import MAX_SEED, GenerateRequest

MARGIN_UM = 1.5  # around a wrong nucleus that is generated again with it
FEATHER_UM = 3.0  # around that, where the new pixels fade into the old ones
STRENGTH = 0.6  # how much of a spot changes
# Rounds hold more closely to the layout: factors of its strength, up to the maximum.
FACTORS = (1.5, 2.0)
MOST_LAYOUT_STRENGTH = 2.0
SEED_STEP = 1_000_003  # between rounds, so that they share no seed with variants of a series

Image = NDArray[np.uint8]
Segment = Callable[[Image], NDArray[Any]]
Finish = Callable[[Image], Image]
Regenerate = Callable[[GenerateRequest, int], Image]


@dataclass(frozen=True, eq=False)
class JudgedImage:
    """An image, its segmented nuclei, and their agreement with the layout.

    ``raw`` is the image as it was generated, from which a round begins.
    """

    image: Image
    raw: Image
    segmented: NDArray[Any]
    found: Faithfulness

    def spots(self, layout: NDArray[Any]) -> list[tuple[NDArray[Any], NDArray[np.int64]]]:
        """Return the label images with wrong nuclei, each with the labels of these."""
        found = self.found
        wrong = np.concatenate([found.partial, found.missing])
        return [(layout, wrong), (self.segmented, found.extra)]


@dataclass(frozen=True, eq=False)
class RepairedVariant:
    """A repaired variant, uint8 (height, width, 3), and how well it follows its layout.

    Its request reproduces it: with the number of rounds that were done, and no limit of time.
    """

    image: Image
    request: GenerateRequest
    outcome: RepairOutcome


def repair_variant(
    request: GenerateRequest,
    raw: Image,
    segment: Segment,
    regenerate: Regenerate,
    finish: Finish = lambda raw: raw,
) -> RepairedVariant:
    """Generate the wrong nuclei of a variant again, in rounds, until none is wrong.

    Parameters
    ----------
    request : GenerateRequest
        Of this variant, with a layout and a repair.
    raw : array, uint8, (height, width, 3)
        The variant as it was generated.
    segment : callable
        Returns the nuclei of an image as an instance label image.
    regenerate : callable
        Runs the request of a round, given with its number from 1, and returns the image. It may
        raise to cancel.
    finish : callable
        Returns the image that users get of a raw one. It is what is segmented and compared.
    """
    assert request.layout is not None and request.repair is not None
    repair, layout, mpp = request.repair, request.layout.unpack(), request.mpp
    begun = time.monotonic()

    def judge(image: Image, raw: Image) -> JudgedImage:
        segmented = segment(image)
        return JudgedImage(image, raw, segmented, faithfulness(layout, segmented, mpp))

    best = judge(finish(raw), raw)
    before, rounds = NucleusCounts.of(best.found), 0
    while rounds < repair.rounds and best.found.wrong:
        if repair.seconds is not None and time.monotonic() - begun >= repair.seconds:
            break
        part = area_of_spots(best, layout, mpp)
        if request.part is not None:
            part &= request.part.view() != 0  # outside it, nothing may change
        if not part.any():
            break
        rounds += 1
        again = round_request(request, best.raw, part, rounds)
        raw = regenerate(again, rounds)
        spots = number_spots(part, again.feather)
        # Finishing may depend on the whole image, but outside the spots nothing may change.
        new = judge(mixed(best.image, finish(raw), spots > 0), raw)
        better = better_spots(best, new, layout, spots)
        if 0 < np.count_nonzero(better) < spots.max():
            # Thresholds of a segmenter depend on the whole image, so that a spot may also do harm
            # elsewhere, and all new spots may be better than some of them.
            images = ((best.image, new.image), (best.raw, new.raw))
            some = judge(*(mixed(old, fresh, better[spots]) for old, fresh in images))
            new = min(some, new, key=lambda one: one.found.wrong)
        if new.found.wrong < best.found.wrong:
            best = new
    outcome = RepairOutcome(
        before=before,
        after=NucleusCounts.of(best.found),
        partial=tuple(best.found.partial.tolist()),
        missing=tuple(best.found.missing.tolist()),
        rounds=rounds,
        seconds=round(time.monotonic() - begun, 2),
    )
    done = replace(repair, rounds=rounds, seconds=None)
    return RepairedVariant(best.image, replace(request, repair=done), outcome)


def area_of_spots(judged: JudgedImage, layout: NDArray[Any], mpp: float) -> NDArray[np.bool_]:
    """Return the mask of the wrong nuclei and a margin around them: bool, (height, width)."""
    wrong = np.zeros(layout.shape, bool)
    for labels, names in judged.spots(layout):
        wrong |= np.isin(labels, names)
    if not wrong.any():
        return wrong
    return np.asarray(distance_transform_edt(~wrong) * mpp <= MARGIN_UM)


def round_request(
    request: GenerateRequest, image: Image, part: NDArray[np.bool_], number: int
) -> GenerateRequest:
    """Return the request of a round, numbered from 1: the area ``part`` of an image, anew."""
    factor = FACTORS[min(number, len(FACTORS)) - 1]
    stronger = max(request.layout_strength, MOST_LAYOUT_STRENGTH)
    return replace(
        request,
        seed=(request.seed + number * SEED_STEP) % (MAX_SEED + 1),
        count=1,
        preset=EXACT.name if request.published else request.preset,
        layout_strength=min(factor * request.layout_strength, stronger),
        start=PackedArray.pack(image),
        part=PackedArray.pack(part),
        strength=STRENGTH,
        feather=round(FEATHER_UM / request.mpp) if request.part is None else request.feather,
        invert=False,
        colour_match=None,
        repair=None,
    )


def number_spots(part: NDArray[np.bool_], feather: int) -> NDArray[np.int32]:
    """Number the connected areas of ``part`` and the ``feather`` around it, in px, from 1."""
    touched = distance_transform_edt(~part) <= feather
    return np.asarray(label(touched, np.ones((3, 3)))[0], np.int32)


def mixed(old: Image, new: Image, where: NDArray[np.bool_]) -> Image:
    """Return the old image with the pixels of the new one in a mask."""
    return np.where(where[..., None], new, old)


def better_spots(
    old: JudgedImage, new: JudgedImage, layout: NDArray[Any], spots: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Return for each number of a spot, 0 for none included, if fewer of its nuclei are wrong."""
    count = int(spots.max())
    before, after = (_wrong_in(spots, count, judged, layout) for judged in (old, new))
    return after < before


def _wrong_in(
    spots: NDArray[Any], count: int, judged: JudgedImage, layout: NDArray[Any]
) -> NDArray[np.int64]:
    """Count the wrong nuclei of each spot; one that spans several belongs to the largest part."""
    wrong = np.zeros(count + 1, np.int64)
    for labels, names in judged.spots(layout):
        for name in names:
            inside = np.bincount(spots[labels == name], minlength=count + 1)
            inside[0] = 0  # outside all spots, where nothing changes
            if inside.any():
                wrong[inside.argmax()] += 1
    return wrong


class RepairProgress:
    """Progress of variants and of the rounds of their repair, as one amount of work.

    Rounds that turn out not to be needed count as done at once.

    Parameters
    ----------
    emit : callable
        Receives the events.
    count : int
        Number of variants.
    rounds : int
        Most rounds of each; 0 passes every event on as it is.

    """

    def __init__(self, emit: Emit, count: int, rounds: int) -> None:
        self._emit, self._count, self._rounds = emit, count, rounds
        self._done = self._total = self._repaired = 0

    def generated(self, event: Event) -> None:
        """Pass on an event of the generation of the variants themselves."""
        if isinstance(event, Progress) and event.total:
            self._done, self._total = event.done, event.total
            self._say(0.0, event.message)
        else:
            self._emit(event)

    def repairing(self, number: int, event: Event) -> None:
        """Pass on progress and notices of a round, numbered from 1."""
        if isinstance(event, Progress):
            share = event.done / event.total if event.total else 0.0
            self._say(number - 1 + share, f"{REPAIRING}, round {number} of {self._rounds}")
        elif isinstance(event, Notice):
            self._emit(event)

    def repaired(self) -> None:
        """Count a variant whose repair has ended."""
        self._repaired += 1
        if self._rounds:
            self._say(0.0, REPAIRING)

    def _say(self, rounds: float, message: str) -> None:
        each = self._total / self._count
        rounds += self._repaired * self._rounds
        done = self._done + round(each * rounds)
        self._emit(Progress(done, self._total * (1 + self._rounds), message))
