"""A session that is being opened: its slide, and what is said about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from napari_pixcell.engine.styles.style import Style
from napari_pixcell.engine.tissue import Tissue
from napari_pixcell.models.catalogue import get_family
from napari_pixcell.slides import open_slide
from napari_pixcell.studio.results.results import Result
from napari_pixcell.studio.saving.document import OLDER
from napari_pixcell.studio.saving.folder import SessionFolder
from napari_pixcell.studio.saving.loading import DAMAGED, Loader, SavedResult
from napari_pixcell.studio.saving.places import counted
from napari_pixcell.studio.saving.slide_mark import SlideMark
from napari_pixcell.studio.styles.choice import StyleChoice


@dataclass(eq=False)
class Opening:
    """A session that is being opened.

    Parameters
    ----------
    folder : SessionFolder
    document : dict
        Its JSON.
    mark : SlideMark
        Its slide.
    """

    folder: SessionFolder
    document: dict[str, Any]
    mark: SlideMark
    locked: bool = False
    styles: list[Style] = field(default_factory=list)
    measured: list[Any] = field(default_factory=list)
    numbers: dict[int, int] = field(default_factory=dict)
    jobs: dict[int, int] = field(default_factory=dict)
    results: list[tuple[Result, SavedResult]] = field(default_factory=list)
    names: dict[Hashable, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Of the session; empty where it has none yet."""
        return str(self.document.get("id") or "")

    @property
    def name(self) -> str:
        """Of the folder."""
        return self.folder.path.name


def slide_for(opening: Opening, current: Any) -> Any:
    """Give the slide of a session: the one that is open, or its file opened; None if it is lost."""
    mark = opening.mark
    if current is not None and SlideMark.of(current).is_same(mark):
        return current
    path = mark.find(opening.folder.path, str(opening.document["slide"].get("relative") or ""))
    return opened(path, mark, current) if path is not None else None


def opened(path: Path, mark: SlideMark, current: Any) -> Any:
    """Open the slide's file as the session took it; the open one where it is that."""
    if current is not None and current.path is not None and Path(current.path) == path:
        return current
    slide = open_slide(path)
    if mark.mpp is not None and slide.mpp != mark.mpp:
        slide = slide.with_mpp(mark.mpp)
    return slide


def about_same(now: float | None, before: float) -> bool:
    """Whether a pixel size is as it was."""
    return now is not None and abs(now / before - 1) < 1e-4


def tissue(slide: Any, region: Any, family: str) -> Any:
    """Read the tissue of a region to compare with; None if it is large, or cannot be read."""
    try:
        tissue = Tissue(slide, region, get_family(family))
        return None if tissue.large else tissue.cut(tissue.read())
    except DAMAGED:
        return None


def renumbered(choice: StyleChoice, numbers: dict[int, int]) -> StyleChoice:
    """Give the choice with the numbers that its regions have now."""
    parts = (
        replace(part, ref=numbers.get(part.ref, part.ref)) if isinstance(part.ref, int) else part
        for part in choice.parts
    )
    return StyleChoice(tuple(parts))


def lost_sentence(opening: Opening) -> str:
    """Say that the slide is not there, and what to do."""
    if opening.mark.path is None:
        return (
            f"The session “{opening.name}” is of “{opening.mark.name}”, which came from no file; "
            "open that image in napari, then the session again."
        )
    return (
        f"The slide of this session, “{opening.mark.name}”, is not where it was, or another one "
        "is there; show where it is now."
    )


def damage_sentence(opening: Opening, loader: Loader, there: str) -> str:
    """Say what could not be read; ``there`` is what could, in words."""
    parts = [counted(n, what) for what, n in Counter(loader.lost).items()]
    if opening.document[OLDER]:
        parts.append("the last change")
    return (
        f"“{opening.name}” is damaged: {' and '.join(parts)} could not be read. The rest is here "
        f"({there}); the damaged session stays as it is, and your work is saved beside it."
    )
