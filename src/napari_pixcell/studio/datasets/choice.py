"""The dock's settings of a dataset, and the recipe made of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from psygnal import SignalGroupDescriptor

from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.engine.styles.style import Style
from napari_pixcell.engine.tissue_colours import TissueColours
from napari_pixcell.models.catalogue import Family
from napari_pixcell.serialization import to_json
from napari_pixcell.studio.regions.item import RegionItem

if TYPE_CHECKING:
    from napari_pixcell.datasets.recipe.recipe import DatasetRecipe, Part
    from napari_pixcell.datasets.store.checks import Checks

STYLES = {"regions": "all regions here", "slide": "the whole slide", "saved": "all saved styles"}
LAYOUTS = {
    "regions": "layouts of the regions",
    "found": "cells of the styles' tissue",
    "invented": "invented layouts",
}
# Bytes per pixel of image and mask files, measured on demo pairs.
BYTES_PER_PIXEL = 2.0


@dataclass
class DatasetChoice:
    """Settings of a dataset in the dock; ``choice.events`` signals changes."""

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    name: str = ""
    styles: str = "regions"  # one of STYLES
    places: int = 20  # most positions on the slide that styles are taken from
    layouts: str = "regions"  # one of LAYOUTS
    invented: int = 10
    variations: int = 0  # variations of each region's layout, besides itself
    pairing: str = "each"  # one of PAIRINGS
    seeds: int = 1  # pairs for each style and layout
    candidates: int = 1  # images made for each pair, of which the best is kept
    repair: bool = False  # nuclei that do not follow their mask are generated again
    drop_wrong: bool = False  # nuclei that the images do not show leave the masks


@dataclass(frozen=True)
class Outlook:
    """Expected size of a dataset: pairs, seconds (None if unknown) and bytes."""

    pairs: int
    seconds: float | None
    bytes: int


@dataclass(frozen=True)
class Wanted:
    """What a dataset will be made of, by value."""

    choice: DatasetChoice
    base: GenerateRequest  # with the generation settings of the dock
    checks: Checks
    colour_match: str  # one of COLOUR_MATCHES
    regions: tuple[RegionItem, ...] = ()
    saved: tuple[Style, ...] = ()
    slide: Part | None = None  # Path and pixel size of the slide; None if it has no file
    # Statistics of the active region's cells, for invented layouts
    density: dict[str, Any] = field(default_factory=dict)

    def recipe(self) -> DatasetRecipe:
        """Return the recipe. It packs arrays, so call it in a thread."""
        from napari_pixcell.datasets.recipe.recipe import DatasetRecipe, best_of  # slow to import

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
            colour_match=self.colour_match,
            checks=self.checks,
            keep=best_of(choice.candidates),
            repair=base.repair,
            drop_wrong=choice.drop_wrong,
        )

    def _styles(self) -> list[Part]:
        match self.choice.styles:
            case "slide":
                assert self.slide is not None
                return [{"from": "slide", "most": self.choice.places, **self.slide}]
            case "saved":
                return [
                    _by_value(style.name, style.embedding, style.colours) for style in self.saved
                ]
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
            classes = {str(label): name for label, name in item.classes.items() if name}
            whole: Part = {
                "from": "labels",
                "name": f"Layout of {item.name}",
                "labels": PackedArray.pack(labels).to_dict(),
                **({"classes": classes} if classes else {}),
                **made,
            }
            parts.append(whole)
            if self.choice.variations:
                amounts = {"count": self.choice.variations, "jitter_um": 2.0, "drop": 0.1}
                parts.append({"from": "vary", "layout": whole, **amounts, "add": 0.1})
        return parts


def _by_value(name: str, embedding: Any, colours: TissueColours | None) -> Part:
    part = {"from": "embedding", "name": name, "embedding": PackedArray.pack(embedding).to_dict()}
    return part if colours is None else part | {"colours": to_json(colours)}


def _of_region(item: RegionItem) -> Part:
    """Return a region's style with its tissue, which checks compare with."""
    from napari_pixcell.engine.styles.blending import as_grid

    assert item.embedding is not None
    part = _by_value(item.name, as_grid(item.embedding.unpack()), item.colours)
    part |= {"group": item.slide, "source": {"region": item.region.as_list()}}
    if item.pixels is not None:
        part["pixels"] = PackedArray.pack(item.pixels).to_dict()
    return part


def recipe_like(item: RegionItem | None, family: Family) -> dict[str, Any]:
    """Return the statistics of a region's cells, or the default ones."""
    from napari_pixcell.cells import Recipe, measure

    if item is None or item.layout is None or not item.cells:
        return Recipe().to_dict()
    return measure(item.layout, family.mpp).to_dict()
