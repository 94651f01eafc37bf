"""A session that is being opened: its slide, and messages about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from napari_pixcell.engine.styles.region_embedding import region_colours
from napari_pixcell.engine.styles.style import Style
from napari_pixcell.engine.tissue import Tissue
from napari_pixcell.engine.tissue_colours import TissueColours
from napari_pixcell.models.families import get_family
from napari_pixcell.slides import open_slide
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.results.results import Result
from napari_pixcell.studio.saving.document import OLDER
from napari_pixcell.studio.saving.feature_mark import FeatureMark
from napari_pixcell.studio.saving.folder import SessionFolder
from napari_pixcell.studio.saving.loading import DAMAGED, Loader, SavedResult
from napari_pixcell.studio.saving.slide_mark import SlideMark
from napari_pixcell.studio.styles.choice import StyleChoice
from napari_pixcell.words import counted


@dataclass(eq=False)
class Opening:
    """A session that is being opened."""

    folder: SessionFolder
    document: dict[str, Any]  # its JSON
    mark: SlideMark  # its slide
    locked: bool = False  # for this window
    styles: list[Style] = field(default_factory=list)
    measured: list[Any] = field(default_factory=list)
    features: FeatureMark | None = None
    features_path: Path | None = None  # None if they are missing
    numbers: dict[int, int] = field(default_factory=dict)  # saved to present numbers of regions
    jobs: dict[int, int] = field(default_factory=dict)  # saved to present numbers of jobs
    results: list[tuple[Result, SavedResult]] = field(default_factory=list)
    names: dict[Hashable, str] = field(default_factory=dict)  # files by the keys of their sides

    @property
    def id(self) -> str:
        return str(self.document.get("id") or "")

    @property
    def name(self) -> str:
        return self.folder.path.name


def slide_for(opening: Opening, current: Any) -> Any:
    """Return the slide of a session: the current one, or its file opened; None if it is missing."""
    mark = opening.mark
    if current is not None and SlideMark.of(current).is_same(mark):
        return current
    path = mark.find(opening.folder.path, str(opening.document["slide"].get("relative") or ""))
    return opened(path, mark, current) if path is not None else None


def opened(path: Path, mark: SlideMark, current: Any) -> Any:
    """Open the slide's file with the pixel size of the session; reuse the current slide."""
    if current is not None and current.path is not None and Path(current.path) == path:
        return current
    slide = open_slide(path)
    if mark.mpp is not None and slide.mpp != mark.mpp:
        slide = slide.with_mpp(mark.mpp)
    return slide


def about_same(now: float | None, before: float) -> bool:
    """Return True if two pixel sizes are equal within 0.01 %."""
    return now is not None and abs(now / before - 1) < 1e-4


def tissue(slide: Any, region: Any, family: str) -> Any:
    """Return the tissue of a region for comparison; None if it is large or cannot be read."""
    try:
        tissue = Tissue(slide, region, get_family(family))
        return None if tissue.large else tissue.cut(tissue.read())
    except DAMAGED:
        return None


def colours(slide: Any, item: RegionItem) -> TissueColours | None:
    """Return the colours of a region's tissue; None if it cannot be read."""
    try:
        return region_colours(Tissue(slide, item.region, get_family(item.family)))
    except DAMAGED:
        return None


def renumbered(choice: StyleChoice, numbers: dict[int, int]) -> StyleChoice:
    """Return a style choice with the present numbers of its regions."""
    parts = (
        replace(part, ref=numbers.get(part.ref, part.ref)) if isinstance(part.ref, int) else part
        for part in choice.parts
    )
    return StyleChoice(tuple(parts))


def lost_sentence(opening: Opening) -> str:
    """Return the message for a missing slide."""
    if opening.mark.path is None:
        return (
            f"The session “{opening.name}” belongs to the layer “{opening.mark.name}”. Open that "
            "image in napari, then open the session again."
        )
    return (
        f"The slide of this session, “{opening.mark.name}”, was moved or replaced. Choose its "
        "present file."
    )


def outdated_sentence(count: int) -> str:
    """Return what to do about jobs whose styles were embedded with other weights."""
    if not count:
        return ""
    were = counted(count, "waiting job was", "waiting jobs were")
    return (
        f" {were} left out, because the weights that embedded the styles were replaced. Generate "
        "the regions again."
    )


def features_sentence(opening: Opening) -> str:
    """Return what to do about a file of features that was open and is missing."""
    if opening.features is None or opening.features_path is not None:
        return ""
    return (
        f" The features “{opening.features.path.name}” were not opened, because the file was moved "
        "or changed. Open it again by “Open features…” in the ⋯ menu."
    )


def damage_sentence(opening: Opening, loader: Loader, there: str) -> str:
    """Return the message for a damaged session; ``there`` lists what was restored."""
    parts = [counted(n, what) for what, n in Counter(loader.lost).items()]
    if opening.document[OLDER]:
        parts.append("the last change")
    return (
        f"“{opening.name}” is damaged. Not restored: {', '.join(parts)}. Restored: {there}. The "
        "damaged session is left unchanged, and your work is saved beside it."
    )
