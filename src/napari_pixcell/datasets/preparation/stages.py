"""The phases of a preparation: what is missing, and how the parts are joined."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress

import napari_pixcell
from napari_pixcell.datasets.preparation.listing import LISTED, ListedStyles
from napari_pixcell.datasets.preparation.parts import (
    LAYOUTS,
    LISTING,
    PREPARING,
    STYLES,
    PreparationChunk,
    chunks_of,
    end_preparing,
    part_path,
    parts_in,
    read_part,
)
from napari_pixcell.datasets.recipe.layout_sources import LayoutSources, Segment
from napari_pixcell.datasets.recipe.planning import no_segmentation, plan_of, planned_pairs
from napari_pixcell.datasets.recipe.recipe import PATHS, DatasetRecipe, Part, mapped
from napari_pixcell.datasets.recipe.style_sources import StyleSources
from napari_pixcell.datasets.store import dataset as store
from napari_pixcell.datasets.store.dataset import PER_FOLDER, Dataset
from napari_pixcell.datasets.store.inputs import layout_file
from napari_pixcell.datasets.store.rows import JsonRow, append_rows, cut_torn
from napari_pixcell.engine.colour_match import OFF
from napari_pixcell.engine.events import Emit, Notice
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import sync_folder, write_whole
from napari_pixcell.models.families import get_family
from napari_pixcell.serialization import to_json
from napari_pixcell.words import counted

STYLED = "styles.json"  # exists once all styles are complete


class RecipeRefused(PixCellError):
    """The sources of a recipe cannot be read, or do not fit it; nothing was prepared yet."""


class Preparation:
    """The preparation of a dataset, as far as its files show it. It computes nothing itself.

    Parameters
    ----------
    dataset : Dataset
    recipe : DatasetRecipe
        With the saved styles that it names.
    segment : callable, optional
        Segments the cells of a picture. Only layouts of styles need it.

    Attributes
    ----------
    folder : Path
        Of the parts.
    styles : ListedStyles
        Known after the listing.
    layouts : LayoutSources

    Raises
    ------
    PixCellError
        If a folder of the recipe does not exist.
    """

    def __init__(
        self, dataset: Dataset, recipe: DatasetRecipe, segment: Segment = no_segmentation
    ) -> None:
        self.dataset, self.recipe = dataset, recipe
        self.family = get_family(recipe.family)
        self.sources = StyleSources(recipe.styles, self.family)
        self.styles = ListedStyles(self.sources)
        self.layouts = LayoutSources(recipe.layouts, self.family, self.styles, segment)
        names = [*self.sources.file_names(), *self.layouts.file_names()]
        self.folder = dataset.folder / PREPARING / _fingerprint(recipe, names)
        self.listed = len(self.sources) + len(self.layouts.checked)
        self.styles.look_in(self.folder, self.listed)

    def open(self) -> None:
        """Create the folder of the parts."""
        if not self.folder.is_dir():
            self.folder.mkdir(parents=True, exist_ok=True)
            for folder in (self.dataset.folder, self.folder.parent):
                sync_folder(folder)

    def close(self) -> None:
        """Close the slide that was read last."""
        self.sources.close()

    @property
    def phase(self) -> str | None:
        """The phase that is not complete yet; None after the last."""
        if (self.folder / STYLED).exists():
            return LAYOUTS if Dataset(self.dataset.folder).description.plan is None else None
        if (self.folder / LISTED).exists():
            return STYLES
        return LISTING if Dataset(self.dataset.folder).description.plan is None else None

    def items(self, phase: str) -> int:
        """Return the number of items of a phase."""
        if phase == LISTING:
            return self.listed
        return len(self.styles) if phase == STYLES else len(self.layouts)

    def chunks(self, phase: str) -> list[PreparationChunk]:
        """Return all chunks of a phase. Those before it are complete."""
        return chunks_of(phase, self.items(phase))

    def missing(self, phase: str) -> list[PreparationChunk]:
        """Return the chunks of a phase that are still to be made, in order."""
        made = parts_in(self.folder)
        return [chunk for chunk in self.chunks(phase) if chunk.name not in made]

    def is_made(self, chunk: PreparationChunk) -> bool:
        """Return True if a chunk need not be made."""
        return part_path(self.folder, chunk).exists()

    # -- joining, by the holder of the lock ------------------------------------------------

    def join(self, phase: str, emit: Emit) -> None:
        """Join the parts of a phase, all of which are there, in their order.

        It may be interrupted and called again. The caller has locked the dataset.

        Raises
        ------
        RecipeRefused
            If the listing shows that the recipe cannot be followed.
        PixCellError
            If no layout of a source has a cell, or a part is damaged.
        """
        if self.phase != phase:  # another process has joined it
            return
        if phase == LISTING:
            self._join_listing(emit)
        elif phase == STYLES:
            self._join_styles(emit)
        else:
            self._join_layouts()

    def _rows(self, phase: str) -> Iterator[tuple[PreparationChunk, list[JsonRow]]]:
        return ((chunk, read_part(self.folder, chunk)) for chunk in self.chunks(phase))

    def _join_listing(self, emit: Emit) -> None:
        own, counts, checked, with_tissue = len(self.sources), list[int](), list[int](), 0
        skipped = 0
        for chunk, rows in self._rows(LISTING):
            for number, row in zip(range(chunk.first, chunk.stop), rows, strict=True):
                (counts if number < own else checked).append(int(row["count"]))
                with_tissue += int(row.get("tissue", 0))
                skipped += int(row.get("skipped", 0))
        try:
            planned_pairs(self.recipe, self.layouts, sum(counts), with_tissue, checked)
        except PixCellError as error:
            raise RecipeRefused(str(error)) from error
        write_whole(self.folder / LISTED, json.dumps({"styles": counts}))
        if skipped:
            words = f"Left out {counted(skipped, 'style')} whose features hold no numbers."
            emit(Notice(words))

    def _join_styles(self, emit: Emit) -> None:
        path = self.dataset.folder / store.STYLES
        cut_torn(path)
        have, matching = self.dataset.prepared(store.STYLES), self._matches_colours
        unknown: list[str] = []
        for _, rows in self._rows(STYLES):
            new = [row for row in rows if row["number"] >= have]
            if new:
                append_rows(path, new)
            if matching:
                unknown += [row["name"] for row in new if row["file"] and "colours" not in row]
        write_whole(self.folder / STYLED, json.dumps({"styles": len(self.styles)}))
        if unknown:
            others = f" and {len(unknown) - 1:,} other styles" if len(unknown) > 1 else ""
            emit(
                Notice(
                    f"Colours are not matched to “{unknown[0]}”{others}, whose tissue is unknown. "
                    "Save such styles again from their tissue."
                )
            )

    @property
    def _matches_colours(self) -> bool:
        return self.dataset.description.settings.colour_match != OFF

    def _join_layouts(self) -> None:
        root = self.dataset.folder
        path, number = root / store.LAYOUTS, 0
        cut_torn(path)
        have = self.dataset.prepared(store.LAYOUTS)
        counts = [0] * len(self.recipe.layouts)
        for _, rows in self._rows(LAYOUTS):
            new: list[JsonRow] = []
            for row in rows:
                counts[self.layouts.part_of(row.pop("source"))] += 1
                if number >= have:
                    new.append(self._named(number, row))
                number += 1
            if new:
                sync_folder(root / "layouts")
                append_rows(path, new)
        self.layouts.check_counts(counts)
        plan = plan_of(self.recipe, len(self.styles), number)
        self.dataset.description = Dataset(root).description  # another process may have changed it
        per_folder = PER_FOLDER if len(plan) > PER_FOLDER else None
        self.dataset.describe(plan=plan.to_dict(), pairs_per_folder=per_folder)
        end_preparing(root)

    def _named(self, number: int, row: JsonRow) -> JsonRow:
        """Move the file of a layout to its place, and return its row."""
        file = layout_file(number)
        (self.dataset.folder / "layouts").mkdir(exist_ok=True)
        with suppress(FileNotFoundError):  # an interrupted joining has moved it
            (self.folder / row["file"]).replace(self.dataset.folder / file)
        return {"number": number} | row | {"file": file}


def _fingerprint(recipe: DatasetRecipe, names: list[str]) -> str:
    """Return what tells the parts of recipes apart. Folders may be moved as a whole."""

    def nameless(part: Part) -> Part:
        names = {key: part[key].replace("\\", "/").split("/")[-1] for key in PATHS if key in part}
        return part | names

    value = {
        "version": napari_pixcell.__version__,
        "family": recipe.family,
        "styles": [mapped(part, nameless) for part in recipe.styles],
        "layouts": [mapped(part, nameless) for part in recipe.layouts],
        "pairing": recipe.pairing,
        "colours": recipe.colour_match,
        "segmenter": to_json(recipe.checks.without_path().segmenter),
        "files": names,
    }
    digest = hashlib.sha256(json.dumps(value, sort_keys=True).encode(errors="replace"))
    return digest.hexdigest()[:16]
