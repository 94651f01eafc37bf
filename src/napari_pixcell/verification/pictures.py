"""Checks of generated pictures: their style, and their nuclei with a layout."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells import segment_nuclei
from napari_pixcell.cells.faithfulness import faithfulness
from napari_pixcell.datasets.quality.agreement import agreement
from napari_pixcell.datasets.quality.looks import unit
from napari_pixcell.engine.events import Variant
from napari_pixcell.engine.request_values import BatchRequest, GenerateRequest
from napari_pixcell.engine.requests import GenerationSettings, generate_request, tile_size
from napari_pixcell.engine.tile_embedding import cut_tiles
from napari_pixcell.models.families import is_stain
from napari_pixcell.verification.bench import TILE, Bench
from napari_pixcell.verification.report import CheckRow, not_applicable

SIDES = 256, 1024  # px of the tiles of all families
PLACED, FOLLOWS = "Nuclei placed by the layout", "Nuclei follow their own mask"
FEWEST = 5  # nuclei of a mask that is used
NO_LAYOUT = "This family takes no layout."
BELOW = "Nuclei of a stain are checked in structure mode."
NO_NUCLEI = "No nuclei were segmented in the patches."
ANOTHER_LOOK = "A stain has another look than its source on purpose."
Picture = NDArray[np.uint8]
Labels = NDArray[np.int32]


@dataclass(frozen=True)
class Drawn:
    """Generated pictures in the order of their requests, and the seconds of each."""

    images: list[Picture]
    seconds: float


def draw(
    bench: Bench, requests: list[GenerateRequest], clock: Callable[[], float] = time.perf_counter
) -> Drawn:
    """Generate the pictures of some requests, as everywhere else."""
    bench.on_networks(lambda models: None)  # loaded before the clock starts
    start = clock()
    at_once = bench.engine.at_once(bench.family.name)
    events = bench.ask(BatchRequest(tuple(requests), at_once))
    seconds = (clock() - start) / len(requests)
    made = {one.index: np.asarray(one.image) for one in events if isinstance(one, Variant)}
    return Drawn([made[number] for number in range(len(requests))], seconds)


def requests_of(bench: Bench, layouts: list[Labels] | None = None) -> list[GenerateRequest]:
    """Return the requests of the pictures, with the defaults of the family."""
    family, found = bench.family, []
    for number, (_, style) in enumerate(bench.sources):
        settings = GenerationSettings.for_family(
            family,
            layout=layouts is not None,
            steps=bench.steps,
            seed=bench.request.seed + number,
            count=1,
        )
        labels = layouts[number] if layouts is not None else None
        size = tile_size(family)
        found.append(generate_request(family, settings, size=size, embedding=style, layout=labels))
    return found


def style_title(side: int) -> str:
    """Return the title of the check of the style at a size."""
    return f"Style of pictures of {side} px"


def style_rows(bench: Bench, drawn: Drawn | None) -> list[CheckRow]:
    """Compare the embeddings of generated pictures with those of their sources."""
    rows = []
    for side in SIDES:
        key, title = f"style {side}", style_title(side)
        if side != bench.family.tile:
            reason = f"This family generates tiles of {bench.family.tile} px."
            rows.append(not_applicable(key, title, reason))
        elif drawn is None:
            rows.append(not_applicable(key, title, ANOTHER_LOOK))
        else:
            rows.append(_style(bench, key, title, drawn))
    return rows


def _style(bench: Bench, key: str, title: str, drawn: Drawn) -> CheckRow:
    sources = np.stack([style.mean(axis=0) for _, style in bench.sources])
    made = np.stack([bench.embed(cut_tiles(one, TILE)).mean(axis=0) for one in drawn.images])
    cosines = unit(made) @ unit(sources).T
    own = float(np.diag(cosines).mean())
    others = cosines[~np.eye(len(cosines), dtype=bool)]
    other = float(others.mean()) if len(others) else 0.0
    close, closer = bench.figures.bounds("cosine"), bench.figures.bounds("closer")
    verdicts = close.judge(own), closer.judge(own - other) if len(others) else "PASS"
    worst = max(verdicts, key=("PASS", "WARN", "FAIL").index)
    return CheckRow(
        key,
        title,
        worst,
        f"{own:.2f} (others {other:.2f})",
        close.figure,
        "The embeddings of generated pictures are not close to those of their source, or no "
        "closer than to other tissue: pictures do not take their style.",
        "If every check above passed, generate with more steps, and report this with the JSON.",
        {"value": own, "others": other, "pictures": float(len(drawn.images))},
    )


def layout_rows(bench: Bench) -> tuple[list[CheckRow], Drawn | None]:
    """Compare the nuclei of pictures with their mask, and with that of another picture."""
    left = None if bench.family.takes_layout else NO_LAYOUT
    if is_stain(bench.family):
        left = BELOW
    layouts = []
    if left is None:
        layouts = [segment_nuclei(tissue, bench.family.mpp) for tissue, _ in bench.sources]
        if not any(len(np.unique(labels)) > FEWEST for labels in layouts):
            left = NO_NUCLEI
    if left is not None:
        titles = {"placed": PLACED, "follows": FOLLOWS}
        return [not_applicable(key, title, left) for key, title in titles.items()], None
    drawn = draw(bench, requests_of(bench, layouts))
    mpp = bench.family.mpp
    found = [segment_nuclei(image, mpp) for image in drawn.images]
    compared = [
        faithfulness(wanted, made, mpp) for wanted, made in zip(layouts, found, strict=True)
    ]
    wanted = sum(one.wanted for one in compared)
    placed = sum(len(one.placed) for one in compared) / max(wanted, 1)
    own, other = kappas(layouts, found)
    rows = [
        bench.row(
            "placed",
            PLACED,
            placed,
            f"{placed:.0%} of {wanted}",
            "Nuclei of the mask are missing in the pictures, or have another size.",
            "Raise the layout strength, or use “Repair nuclei”. If nuclei do not follow their mask "
            "either, get the ControlNet again.",
            nuclei=wanted,
        ),
        bench.row(
            "follows",
            FOLLOWS,
            own - other,
            f"kappa {own:.2f} (other mask {other:.2f})",
            "Pictures agree with their own mask hardly better than with another one: the "
            "ControlNet has no effect.",
            "Get the ControlNet again with “napari-pixcell models get”.",
            f"other mask near 0, own {bench.figures.follows:.1f} higher",
            own=own,
            other=other,
        ),
    ]
    return rows, drawn


def kappas(wanted: list[Labels], found: list[Labels]) -> tuple[float, float]:
    """Return the mean agreement of segmented nuclei with their own mask, and with another one.

    The other mask is that of the next picture; of a single one, its own, turned by 180°.
    """
    others = [*wanted[1:], wanted[0]] if len(wanted) > 1 else [wanted[0][::-1, ::-1]]
    means = []
    for masks in (wanted, others):
        compared = [agreement(mask, made) for mask, made in zip(masks, found, strict=True)]
        means.append(float(np.mean([one.kappa if one is not None else 0.0 for one in compared])))
    return means[0], means[1]
