"""Makes a chunk of the preparation of a dataset: the function that each process runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.datasets.marks import synthetic_tiff
from napari_pixcell.datasets.preparation.listing import tiles_row
from napari_pixcell.datasets.preparation.matching import TissueMatching, cells_of
from napari_pixcell.datasets.preparation.parts import (
    LISTING,
    STYLES,
    PreparationChunk,
    layout_path,
    write_part,
)
from napari_pixcell.datasets.preparation.stages import Preparation
from napari_pixcell.datasets.quality import Ask, RealTiles, look_of
from napari_pixcell.datasets.recipe.preparing import REAL, private_folder
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
from napari_pixcell.datasets.recipe.same_weights import check_installed
from napari_pixcell.datasets.store.dataset import Dataset, DatasetLayout, DatasetStyle, count_cells
from napari_pixcell.datasets.store.inputs import write_style
from napari_pixcell.datasets.store.rows import JsonRow
from napari_pixcell.engine.colour_match import OFF
from napari_pixcell.engine.events import Embedding, SegmentedLayout
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import EmbedRequest, SegmentRequest
from napari_pixcell.files import private_folder as make_private
from napari_pixcell.files import write_whole


class PreparationMaker:
    """Makes chunks of a preparation, beside other processes that make other chunks.

    Parameters
    ----------
    dataset : Dataset
    recipe : DatasetRecipe
        With the saved styles that it names.
    ask : callable
        Runs a request on an engine, and returns its events.
    check : callable
        Called between items. An exception ends the work, which can be resumed.
    tissue : Path, optional
        Folder for the real tissue of styles; by default in the user's data folder.

    Raises
    ------
    PixCellError
        If other weights are installed than those the dataset was begun with.
    """

    def __init__(
        self,
        dataset: Dataset,
        recipe: DatasetRecipe,
        ask: Ask,
        check: Callable[[], None],
        tissue: Path | None = None,
    ) -> None:
        check_installed(dataset)
        self.preparation = Preparation(dataset, recipe, self._segment)
        self._dataset, self._recipe, self._ask, self._check = dataset, recipe, ask, check
        self._family = self.preparation.family
        self._real = tissue or private_folder(dataset.description) / REAL
        self._files: list[Path] = []  # of the chunk in work

    def close(self) -> None:
        """Close the slide that was read last."""
        self.preparation.close()

    def make(self, chunk: PreparationChunk, on_item: Callable[[], None] = lambda: None) -> None:
        """Make all items of a chunk, and write its part. It may be made again.

        Parameters
        ----------
        chunk : PreparationChunk
            Phases before it are complete.
        on_item : callable
            Called after each item.

        Raises
        ------
        PixCellError
            If a source cannot be read, embedded or segmented.
        OSError
            If the disk is full or fails.
        """
        self.preparation.open()
        self._files, rows = [], list[JsonRow]()
        for number in range(chunk.first, chunk.stop):
            self._check()
            if chunk.phase == LISTING:
                rows.append(self._listed(number))
            elif chunk.phase == STYLES:
                rows.append(self._styled(number))
            else:
                rows.extend(self._laid_out(chunk, number, len(rows)))
            on_item()
        write_part(self._dataset.folder, self.preparation.folder, chunk, rows, self._files)

    # -- listing ---------------------------------------------------------------------------

    def _listed(self, number: int) -> JsonRow:
        sources, layouts = self.preparation.sources, self.preparation.layouts
        if number < len(sources):
            return tiles_row(sources.tiles(number))
        return {"count": layouts.count(*layouts.checked[number - len(sources)])}

    # -- styles ----------------------------------------------------------------------------

    def _styled(self, number: int) -> JsonRow:
        source = self.preparation.styles[number]
        pixels, embedding = source.tissue(), source.embedded(self._embed)
        look: dict[str, float] = {}
        if pixels is not None:
            look = look_of(pixels) | self._cells_of(pixels)
            own = self._embed(pixels) if source.mixed or embedding is None else embedding
            self._keep_real(number, pixels, own)
        style = DatasetStyle(
            number,
            source.name,
            source.group,
            embedding,
            look,
            source.source,
            source.colours(self._family.mpp) if self._matches_colours else None,
        )
        row = write_style(self._dataset.folder, style, sync=False)
        if row["file"]:
            self._files.append(self._dataset.folder / row["file"])
        return row

    @property
    def _matches_colours(self) -> bool:
        return self._dataset.description.settings.colour_match != OFF

    def _keep_real(
        self, number: int, pixels: NDArray[np.uint8], embedding: NDArray[np.float32]
    ) -> None:
        make_private(self._real)
        real = RealTiles()
        real.add(pixels, embedding)
        real.save(self._real / f"{number:06}.npz")

    def _cells_of(self, pixels: NDArray[np.uint8]) -> dict[str, float]:
        """Return density and size of the cells in tissue, if layouts are matched to it."""
        if self._recipe.pairing != "matched":
            return {}
        return cells_of(self._segment(pixels)[0], self._family.mpp)

    def _embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        events = self._ask(EmbedRequest(self._family.name, PackedArray.pack(pixels)))
        return next(event.values for event in events if isinstance(event, Embedding))

    # -- layouts ---------------------------------------------------------------------------

    def _laid_out(self, chunk: PreparationChunk, source: int, count: int) -> Iterator[JsonRow]:
        for at, layout in enumerate(self.preparation.layouts.layouts(source), count):
            path, matched = layout_path(self.preparation.folder, chunk, at), self._matched(layout)
            path.parent.mkdir(exist_ok=True)
            mpp = self._dataset.description.mpp
            write_whole(path, synthetic_tiff(matched.labels, mpp, matched.classes), sync=False)
            self._files.append(path)
            yield {
                "source": source,
                "name": matched.name,
                "group": matched.group,
                "file": f"{chunk.name}/{path.name}",
                "cells": count_cells(matched.labels),
                "made": matched.made.to_dict(),
                "style": matched.style,
                **matched.named,
            }

    def _matched(self, layout: DatasetLayout) -> DatasetLayout:
        if layout.style is not None or self._recipe.pairing != "matched":
            return layout
        style = self._matching.most_similar(layout.labels, self._family.mpp)
        return replace(layout, style=style)

    @cached_property
    def _matching(self) -> TissueMatching:
        return TissueMatching(Dataset(self._dataset.folder))

    def _segment(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.int32], LayoutSource]:
        method = self._recipe.checks.segmenter
        request = SegmentRequest(PackedArray.pack(pixels), self._family.mpp, method)
        cells = next(event for event in self._ask(request) if isinstance(event, SegmentedLayout))
        return cells.labels, cells.source
