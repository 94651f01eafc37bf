"""Grids of settings: many pictures as one job, and a sheet that shows them side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.contact_sheet import contact_sheet
from napari_pixcell.datasets.marking import synthetic_sheet
from napari_pixcell.engine.record import Record
from napari_pixcell.engine.request import GenerateRequest
from napari_pixcell.engine.sweep import Sweep
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import write_whole
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.generation.queue import Generation
from napari_pixcell.studio.results.gallery import Gallery
from napari_pixcell.studio.results.results import Result, Target


@dataclass(frozen=True)
class Grid:
    """A grid that was asked for.

    Parameters
    ----------
    job : int
        Number of its job.
    title : str
        Of its sheet.
    sweep : Sweep
        What differs.
    seed : int
        Of all, where the grid does not sweep it.
    """

    job: int
    title: str
    sweep: Sweep
    seed: int


class Grids:
    """Asks for grids, and lays out what they gave.

    Parameters
    ----------
    generation : Generation
        The queue.
    gallery : Gallery
        Where the pictures are.
    background : Background
        Threads of the session.

    Attributes
    ----------
    last : Grid or None
        The newest one.
    """

    def __init__(self, generation: Generation, gallery: Gallery, background: Background) -> None:
        self._generation, self._gallery, self._background = generation, gallery, background
        self.last: Grid | None = None

    def queue(
        self,
        sweep: Sweep,
        base: GenerateRequest,
        target: Target,
        layout: NDArray[np.integer] | None,
        previews: bool,
        styles: Sequence[tuple[tuple[str, float], ...]] = (),
    ) -> Grid:
        """Queue a grid as one job; ``styles`` are for the records of each column of a series.

        Raises
        ------
        PixCellError
            If a value is none that a request can have.
        """
        requests = sweep.requests(base)
        places = sweep.settings()
        if styles:  # they are the columns
            for index, one in enumerate(requests):
                style = styles[index % len(styles)]
                requests[index] = replace(one, source=replace(one.source, style=style))
        strengths = tuple(place["strength"] for place in places if "strength" in place)
        if target.start is not None and strengths:
            target.start = replace(target.start, strengths=strengths)
        title = "1 picture" if sweep.count == 1 else f"grid of {sweep.count} pictures"
        if styles and len(sweep.axes) == 1:
            title = f"series of {sweep.count} styles"
        job = self._generation.queue(list(requests), target, layout, title=title, previews=previews)
        self.last = Grid(job.number, f"{target.name}, {title}", sweep, base.seed)
        return self.last

    def pictures(self, grid: Grid) -> list[Result | None]:
        """Give what a grid has made so far, row by row; None for what is not there."""
        names = [axis.name for axis in grid.sweep.axes] + ["seed"]
        made = {
            tuple(getattr(result.record.request, name) for name in names): result
            for result in self._gallery.results
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
        """Lay a grid out, in a thread; ``done`` gets uint8 (height, width, 3).

        ``before`` names and gives what comes before the pictures of a grid of one row.
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

        self._background.compute(work, done, failed)

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
                    f"The sheet cannot be written ({error.strerror}); choose another folder."
                ) from error

        self._background.compute(work, done, failed)


def _footer(record: Record) -> str:
    return f"SYNTHETIC tissue, not real. {record.notice}. For research use only."
