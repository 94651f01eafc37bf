"""What a dataset is to be made of, as the dock asks for it, and the recipe that this is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from psygnal import SignalGroupDescriptor

from napari_pixcell.cells.methods import SegmentMethod
from napari_pixcell.datasets.checks import Checks
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe, Part
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request import GenerateRequest
from napari_pixcell.engine.styles.style import Style
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.studio.regions.item import RegionItem

if TYPE_CHECKING:
    from napari_pixcell.studio.session import Session

STYLES = {
    "regions": "every region here",
    "slide": "the whole slide",
    "saved": "every saved style",
}
LAYOUTS = {
    "regions": "layouts of the regions",
    "found": "cells of the styles' tissue",
    "invented": "invented ones",
}
# In bytes for each pixel, of images and masks as they are written; measured on demo pairs.
BYTES_PER_PIXEL = 2.0


@dataclass
class DatasetChoice:
    """What the dock asks for; ``choice.events`` tells of changes.

    Parameters
    ----------
    name : str
        Of the dataset.
    styles : str
        One of :data:`STYLES`.
    places : int
        How many places of the slide at most.
    layouts : str
        One of :data:`LAYOUTS`.
    invented : int
        How many are invented.
    variations : int
        Of each layout of a region, besides itself.
    pairing : str
        One of :data:`~napari_pixcell.datasets.recipe.plan.PAIRINGS`.
    seeds : int
        Pairs of the same style and layout.
    """

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    name: str = ""
    styles: str = "regions"
    places: int = 20
    layouts: str = "regions"
    invented: int = 10
    variations: int = 0
    pairing: str = "each"
    seeds: int = 1


@dataclass(frozen=True)
class Outlook:
    """What a dataset will be: pairs, seconds (where that is known) and bytes."""

    pairs: int
    seconds: float | None
    bytes: int


@dataclass(frozen=True)
class Wanted:
    """What a dataset is to be made of, by value.

    Parameters
    ----------
    choice : DatasetChoice
        As it was when this was made.
    base : GenerateRequest
        With the settings of the dock.
    checks : Checks
    regions : tuple of RegionItem
    saved : tuple of Style
    slide : dict, optional
        Path and pixel size of the slide; None where it has no file.
    density : dict
        Statistics of the active region's cells, for invented layouts.
    """

    choice: DatasetChoice
    base: GenerateRequest
    checks: Checks
    regions: tuple[RegionItem, ...] = ()
    saved: tuple[Style, ...] = ()
    slide: Part | None = None
    density: dict[str, Any] = field(default_factory=dict)

    def recipe(self) -> DatasetRecipe:
        """Give the recipe; it packs arrays, so it is for a thread."""
        choice, base = self.choice, self.base
        layouts = self._layouts()
        return DatasetRecipe(
            choice.name.strip() or "Dataset",
            base.family,
            tuple(self._styles()),
            tuple(layouts),
            choice.pairing if layouts else "each",
            choice.seeds,
            base.seed,
            steps=base.steps,
            guidance=base.guidance,
            layout_strength=base.layout_strength,
            layout_until=base.layout_until,
            preset=base.preset,
            checks=self.checks,
        )

    def _styles(self) -> list[Part]:
        match self.choice.styles:
            case "slide":
                assert self.slide is not None
                return [{"from": "slide", "most": self.choice.places, **self.slide}]
            case "saved":
                return [_by_value(style.name, style.embedding) for style in self.saved]
        return [_of_region(item) for item in self.regions if item.embedding is not None]

    def _layouts(self) -> list[Part]:
        match self.choice.layouts:
            case "found":
                return [{"from": "style"}]
            case "invented":
                count = self.choice.invented
                return [{"from": "invent", "recipe": self.density, "count": count}]
        parts: list[Part] = []
        for item in self.regions:
            if item.layout is None or not item.layout.any():
                continue
            labels = np.maximum(item.layout, 0).astype(np.uint32)
            made = {"made": item.layout_source.to_dict()} if item.layout_source else {}
            whole: Part = {
                "from": "labels",
                "name": f"Layout of {item.name}",
                "labels": PackedArray.pack(labels).to_dict(),
                **made,
            }
            parts.append(whole)
            if self.choice.variations:
                amounts = {"count": self.choice.variations, "jitter_um": 2.0, "drop": 0.1}
                parts.append({"from": "vary", "layout": whole, **amounts, "add": 0.1})
        return parts


def wanted(session: Session, choice: DatasetChoice) -> Wanted:
    """Take what a session has now for a dataset.

    Raises
    ------
    PixCellError
        If something is missing, in a sentence that says what to do.
    """
    problem = why_not(session, choice)
    if problem:
        raise PixCellError(f"{problem}.")
    settings, family = session.settings, session.settings.model
    with_layout = family.takes_layout
    base = GenerateRequest(
        settings.family,
        seed=settings.seed,
        count=1,
        steps=settings.steps,
        guidance=settings.guidance_with(with_layout),
        layout_strength=settings.layout_strength,
        layout_until=settings.layout_until,
        preset=settings.preset,
    )
    slide = session.slide
    file = None
    if slide is not None and slide.path is not None:
        file = {"slide": str(slide.path.absolute()), "mpp": slide.mpp}
    density: dict[str, Any] = {}
    if choice.layouts == "invented":
        density = _cells_like(session.active, family)
    return Wanted(
        replace(choice),
        base,
        Checks(segmenter=SegmentMethod()),
        tuple(session.regions),
        tuple(_usable(session)),
        file,
        density,
    )


def why_not(session: Session, choice: DatasetChoice) -> str:
    """Say why no dataset can be made of this; empty if one can."""
    family = session.settings.model
    if session.slide is None:
        return "Open a slide first"
    if session.slide.mpp is None:
        return "Set the pixel size first"
    if session.not_here:
        return f"{family.title} is not installed"
    if choice.styles == "slide" and session.slide.path is None:
        return "This slide is not a file; choose regions as styles"
    if choice.styles == "saved" and not _usable(session):
        return "No saved style is of this model; save one in the Style section"
    if choice.styles == "regions" or choice.layouts == "regions":
        if not session.regions:
            return "Add a region first"
        if any(item.family != family.name for item in session.regions):
            return "The slide is too small for this model"
    if choice.styles == "regions":
        if any(item.embedding_busy for item in session.regions):
            return "The regions are being embedded"
        if not any(item.embedding is not None for item in session.regions):
            return "No region has a style yet: embed one"
    if not family.takes_layout:
        return ""
    if choice.layouts == "regions" and not any(item.cells for item in session.regions):
        return "No region has cells; find or paint some, or choose other layouts"
    if choice.layouts == "found" and choice.styles == "saved":
        return "Saved styles have no tissue to find cells in; choose other layouts"
    return ""


def outlook(session: Session, choice: DatasetChoice) -> Outlook | None:
    """Say what the dataset will be; None where something is missing. Nothing is computed for it."""
    if why_not(session, choice):
        return None
    family = session.settings.model
    regions = [item for item in session.regions if item.embedding is not None]
    styles = {
        "regions": sum(_tiles(item, family) for item in regions),
        "slide": choice.places,
        "saved": len(_usable(session)),
    }[choice.styles]
    cells = [item for item in session.regions if item.cells]
    layouts = {
        "regions": sum(_tiles(item, family) for item in cells) * (1 + choice.variations),
        "found": styles,
        "invented": choice.invented,
    }[choice.layouts]
    if not family.takes_layout:
        layouts = 0
    combinations = styles * max(1, layouts)
    if choice.pairing == "matched" and layouts:
        combinations = layouts
    pairs = combinations * choice.seeds
    one = wanted(session, choice).base
    seconds = session.generation.paces.expect(one, bool(layouts))
    side = family.tile
    return Outlook(
        pairs,
        None if seconds is None else seconds * pairs,
        round(pairs * side * side * BYTES_PER_PIXEL),
    )


def _tiles(item: RegionItem, family: Family) -> int:
    return (item.size[0] // family.tile) * (item.size[1] // family.tile)


def _usable(session: Session) -> Sequence[Style]:
    return [style for style in session.saved.values() if not session.style_problem(style)]


def _by_value(name: str, embedding: Any) -> Part:
    return {"from": "embedding", "name": name, "embedding": PackedArray.pack(embedding).to_dict()}


def _of_region(item: RegionItem) -> Part:
    """Give a region's style with its tissue, which checks compare with."""
    from napari_pixcell.engine.styles.blending import as_grid

    assert item.embedding is not None
    part = _by_value(item.name, as_grid(item.embedding.unpack()))
    part |= {"group": item.slide, "source": {"region": item.region.as_list()}}
    if item.pixels is not None:
        part["pixels"] = PackedArray.pack(item.pixels).to_dict()
    return part


def _cells_like(item: RegionItem | None, family: Family) -> dict[str, Any]:
    """Give the statistics of a region's cells, or the usual ones."""
    from napari_pixcell.cells import Recipe, measure

    if item is None or item.layout is None or not item.cells:
        return Recipe().to_dict()
    return measure(item.layout, family.mpp).to_dict()
