"""Grids of settings: many pictures as one job, and a sheet that shows them side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.marks import synthetic_sheet
from napari_pixcell.datasets.report.sheets import contact_sheet
from napari_pixcell.engine.colour_match import ColourMatch
from napari_pixcell.engine.record import Record
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.engine.sweep import Sweep
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import write_whole
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.generation.queue import JobQueue
from napari_pixcell.studio.generation.target import Start, Target
from napari_pixcell.studio.results.gallery import Gallery
from napari_pixcell.studio.results.results import Result


@dataclass(frozen=True)
class Grid:
    """A queued grid."""

    job: int
    title: str
    sweep: Sweep
    seed: int  # seed of all pictures, unless the grid sweeps it


@dataclass(eq=False)
class Grids:
    """Queues grids, and lays out their pictures."""

    queue: JobQueue
    gallery: Gallery
    background: Background

    def __post_init__(self) -> None:
        self.last: Grid | None = None
        self._by_job: dict[int, Grid] = {}

    def caption(self, result: Result) -> str:
        """Return what tells a picture from others of its job: settings, stain or seed."""
        grid = self._by_job.get(result.job)
        differs = grid.sweep.caption(result.record.request) if grid is not None else ""
        return differs or result.label

    def add(
        self,
        sweep: Sweep,
        base: GenerateRequest,
        target: Target,
        layout: NDArray[np.integer] | None,
        *,
        start: Start | None = None,
        previews: bool = True,
        styles: Sequence[tuple[tuple[tuple[str, float], ...], ColourMatch | None]] = (),
    ) -> Grid:
        """Queue a grid as one job.

        Parameters
        ----------
        sweep : Sweep
            What differs.
        base : GenerateRequest
            What all have in common.
        target : Target
            Where the variants land.
        layout : array, optional
            Label image, (height, width).
        start : Start, optional
            What they start from.
        previews : bool
            Whether previews are shown.
        styles : sequence
            Sources of the styles of a series, one a column, for the records, and their colours.

        Raises
        ------
        PixCellError
            If a value is not valid in a request.
        """
        requests = sweep.requests(base)
        if styles:
            for index, one in enumerate(requests):
                style, colours = styles[index % len(styles)]
                source = replace(one.source, style=style)
                requests[index] = replace(one, source=source, colour_match=colours)
        strengths = tuple(v["strength"] for v in sweep.settings() if "strength" in v)
        if start is not None and strengths:
            start = replace(start, strengths=strengths)
        title = "1 picture" if sweep.count == 1 else f"grid of {sweep.count} pictures"
        if styles and len(sweep.axes) == 1:
            title = f"series of {sweep.count} styles"
        job = self.queue.add(requests, target, layout, start=start, title=title, previews=previews)
        self.last = Grid(job.number, f"{target.name}, {title}", sweep, base.seed)
        self._by_job[job.number] = self.last
        return self.last

    def pictures(self, grid: Grid) -> list[Result | None]:
        """Return the pictures of a grid so far, row by row; None where one is missing."""
        names = [axis.name for axis in grid.sweep.axes] + ["seed"]
        made = {
            tuple(getattr(result.record.request, name) for name in names): result
            for result in self.gallery.results
            if result.job == grid.job
        }
        places = [{"seed": grid.seed, **place} for place in grid.sweep.settings()]
        return [made.get(tuple(place[name] for name in names)) for place in places]

    def sheet(
        self,
        grid: Grid,
        done: Callable[[NDArray[np.uint8]], None],
        failed: Callable[[str], None],
        before: tuple[str, NDArray[np.uint8] | None] | None = None,
    ) -> None:
        """Lay a grid out as a sheet, in a thread.

        Parameters
        ----------
        grid : Grid
        done, failed : callable
            Receive the sheet, uint8 (height, width, 3), or a sentence.
        before : (str, array), optional
            Title and picture of a column before those of a grid of one row.
        """
        results = self.pictures(grid)

        def work() -> NDArray[np.uint8]:
            small = [None if result is None else result.small for result in results]
            columns = grid.sweep.columns
            if before is not None:
                columns, small = (before[0], *columns), [before[1], *small]
            record = next((r.record for r in results if r is not None), None)
            footer = _footer(record) if record is not None else ""
            return contact_sheet(
                small, columns, grid.sweep.rows, f"Synthetic · {grid.title}", footer
            )

        self.background.compute(work, done, failed)

    def save(
        self,
        sheet: NDArray[np.uint8],
        path: Path,
        done: Callable[[None], None],
        failed: Callable[[str], None],
    ) -> None:
        """Write a sheet as PNG, marked as synthetic, in a thread."""

        def work() -> None:
            try:
                write_whole(path, synthetic_sheet(sheet))
            except OSError as error:
                raise PixCellError(
                    f"The sheet cannot be written ({error.strerror}). Choose another folder."
                ) from error

        self.background.compute(work, done, failed)


def _footer(record: Record) -> str:
    return f"SYNTHETIC tissue, not real. {record.notice}. For research use only."
