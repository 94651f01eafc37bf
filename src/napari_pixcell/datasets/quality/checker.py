"""Looks at pairs: scores, and flags where a threshold is passed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.datasets.checks import FLAGS, SCORES, Checks
from napari_pixcell.datasets.quality.agreement import agreement
from napari_pixcell.datasets.quality.copies import RealTiles, free_of_cells
from napari_pixcell.datasets.quality.looks import (
    colour_distance,
    is_picture,
    look_of,
    sharpness_ratio,
)
from napari_pixcell.datasets.quality.styles import centre_of, reference_picture, style_cosine
from napari_pixcell.datasets.store.dataset import Style
from napari_pixcell.engine.events import Embedding, Event, Failure, SegmentedLayout
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request import EmbedRequest, Request, SegmentRequest
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family

# Few real tiles, or very different ones, may all be far from each other: no copy is less alike.
LEAST_COPY = 0.75

Ask = Callable[[Request], list[Event]]
Scores = dict[str, float | None]
Answer = TypeVar("Answer", Embedding, SegmentedLayout)


@dataclass(frozen=True)
class Verdict:
    """What the checks say of a pair.

    Parameters
    ----------
    scores : dict of str to float or None
        All of :data:`~napari_pixcell.datasets.checks.SCORES`; None where one does not apply.
    flags : tuple of str
        Of :data:`~napari_pixcell.datasets.checks.FLAGS`, in their order.
    """

    scores: Scores
    flags: tuple[str, ...]


class Checker:
    """Looks at the pairs of a dataset.

    Parameters
    ----------
    checks : Checks
        Thresholds, and what looks for cells.
    family : Family
        Its encoder embeds the pictures.
    mpp : float
        Pixel size of the pictures in µm.
    ask : callable
        Runs a request and gives its events.
    real : RealTiles, optional
        Real tissue that no picture may be a copy of.

    Attributes
    ----------
    most_copy_pixels : float or None
        Correlation beyond which a picture is a copy: that of real tiles that are close to each
        other, within ``LEAST_COPY`` and what the checks allow.
    segmenter : LayoutSource or None
        What looked for cells, with the hash of its weights; known after the first mask.
    """

    def __init__(
        self, checks: Checks, family: Family, mpp: float, ask: Ask, real: RealTiles | None = None
    ) -> None:
        self.checks, self.family, self.mpp = checks, family, mpp
        self.real = real if real is not None and len(real) else None
        self.most_copy_pixels = _copy_limit(checks.most_copy_pixels, self.real)
        self.segmenter: LayoutSource | None = None
        self._ask = ask

    def look(self, image: NDArray[Any], labels: NDArray[Any] | None, style: Style) -> Verdict:
        """Look at a pair.

        Parameters
        ----------
        image : array, uint8, (height, width, 3)
            What is none, for its values or its shape, has failed.
        labels : array of integers, (height, width), optional
            Its mask.
        style : Style
            The one that was asked for, with the look of its tissue where that is known.

        Raises
        ------
        PixCellError
            If it cannot be embedded, or cells cannot be looked for: nothing is known of the pair.
        """
        scores: Scores = dict.fromkeys(SCORES)
        if not is_picture(image):
            return Verdict(scores, ("failed",))
        look = look_of(image)
        scores |= {name: look[name] for name in ("contrast", "saturated")}
        scores["colour"] = colour_distance(look, style.look)
        scores["sharpness"] = sharpness_ratio(look, style.look)
        packed = PackedArray.pack(image)
        if labels is not None:
            scores |= self._mask_scores(packed, labels)
        scores |= self._style_scores(image, packed, labels, style)
        return Verdict(scores, self._flags(scores))

    def _mask_scores(self, packed: PackedArray, labels: NDArray[Any]) -> Scores:
        """Look for cells, and compare them with the mask."""
        found = self._answer(
            SegmentRequest(packed, self.mpp, self.checks.segmenter), SegmentedLayout
        )
        self.segmenter = found.source
        agrees = agreement(labels, found.labels)
        return asdict(agrees) if agrees is not None else {}

    def _style_scores(
        self,
        image: NDArray[np.uint8],
        packed: PackedArray,
        labels: NDArray[Any] | None,
        style: Style,
    ) -> Scores:
        """Embed the picture, and compare it with its style and with real tissue."""
        side = self.family.tile // self.family.grid
        height, width = (length // side * side for length in image.shape[:2])
        if image.shape[:2] != (height, width):
            image = image[:height, :width]
            packed = PackedArray.pack(image)
        own = self._answer(EmbedRequest(self.family.name, packed), Embedding).values
        scores: Scores = {}
        if style.embedding is not None:
            scores["style"] = style_cosine(own, style.embedding, self._shared)
        if self.real is not None:
            free = None if labels is None else free_of_cells(labels[:height, :width], self.mpp)
            nearest = self.real.nearest(image, own, free)
            scores |= {"copy_style": nearest.style, "copy_pixels": nearest.pixels}
        return scores

    @cached_property
    def _shared(self) -> NDArray[np.float64]:
        """What the embeddings of all tissue have in common."""
        picture = PackedArray.pack(reference_picture(self.family))
        return centre_of(self._answer(EmbedRequest(self.family.name, picture), Embedding).values)

    def _flags(self, scores: Scores) -> tuple[str, ...]:
        """Compare the scores with their thresholds."""
        checks = self.checks
        limits: tuple[tuple[str, str, float | None, float | None], ...] = (
            ("mask", "dice", checks.least_dice, None),
            ("mask", "kappa", checks.least_kappa, None),
            ("style", "style", checks.least_style, None),
            ("copy", "copy_style", None, checks.most_copy_style),
            ("copy", "copy_pixels", None, self.most_copy_pixels),
            ("colour", "colour", None, checks.most_colour),
            ("blur", "sharpness", checks.least_sharpness, None),
            ("failed", "contrast", checks.least_contrast, None),
            ("failed", "saturated", None, checks.most_saturated),
        )
        passed = {name for name, score, *limit in limits if _beyond(scores[score], *limit)}
        return tuple(name for name in FLAGS if name in passed)

    def _answer(self, request: Request, kind: type[Answer]) -> Answer:
        """Ask, and give the answer of a kind."""
        events = self._ask(request)
        for event in events:
            if isinstance(event, kind):
                return event
        failure = next((event for event in events if isinstance(event, Failure)), None)
        raise PixCellError(
            failure.message if failure else "A check of a pair gave no result; resume the dataset."
        )


def _copy_limit(most: float | None, real: RealTiles | None) -> float | None:
    """Give the correlation of the closest real pair, where that tells tissue from copies."""
    closest = real.closest() if real is not None else None
    if most is None or closest is None:
        return most
    return min(most, max(LEAST_COPY, closest.pixels))


def _beyond(score: float | None, least: float | None, most: float | None) -> bool:
    if score is None:
        return False
    return (least is not None and score < least) or (most is not None and score > most)
