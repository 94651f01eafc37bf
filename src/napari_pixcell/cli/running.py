"""How commands run requests: one engine, progress on the terminal, results in a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cli import options as cli
from napari_pixcell.cli.messages import note
from napari_pixcell.cli.progress import ProgressLine
from napari_pixcell.engine.chosen_region import ChosenRegion
from napari_pixcell.engine.events import Embedding, Emit, Event, Variant
from napari_pixcell.engine.request_values import GenerateRequest, Request
from napari_pixcell.errors import PixCellError
from napari_pixcell.preferences import wanted_device
from napari_pixcell.slides.stored_picture import StoredPicture

if TYPE_CHECKING:
    from napari_pixcell.engine.engine import Engine

E = TypeVar("E", bound=Event)
RESUME = "Run the same command again to resume."


def engine() -> Engine:
    """Return the engine of this process, started when the first request needs torch."""
    return _engine(wanted_device())


@cache
def _engine(_device: str) -> Engine:
    from napari_pixcell.engine.engine import Engine

    return Engine()


def outcome(work: Callable[[Emit], object], kind: type[E], silent: bool = False) -> E:
    """Do work, and return its last event of one kind; show its progress unless ``silent``."""
    found: list[E] = []

    def on_event(event: Event) -> None:
        if isinstance(event, kind):
            found.append(event)
        elif not silent:
            line.emit(event)

    with ProgressLine() as line:
        work(on_event)
    return found[-1]


def resumable(
    work: Callable[[Emit], object], kind: type[E], folder: Path, result: Callable[[E], cli.Result]
) -> cli.Result:
    """Do long work, and return the result for its last event of one kind.

    If it is cancelled, how to resume it is printed.
    """
    try:
        return result(outcome(work, kind))
    except KeyboardInterrupt:
        note(f"Cancelled. {RESUME} The work so far is in {folder}.")
        return cli.cancelled(folder=str(folder))


def answer(request: Request, kind: type[E], silent: bool = False) -> E:
    """Run a request and return its event of one kind; without its progress if ``silent``."""
    return outcome(partial(engine().run, request), kind, silent)


def embedding_of(chosen: ChosenRegion, no_cache: bool) -> tuple[NDArray[np.float32], bool]:
    """Return the embedding of a region, and whether it comes from the cache."""
    return chosen.embedding(lambda request: answer(request, Embedding), cache=not no_cache)


def write_variants(
    requests: Iterable[GenerateRequest],
    out: Path,
    with_start: bool = False,
    drop_wrong: bool = False,
) -> cli.Result:
    """Run requests, and write their variants to a folder; see :class:`Export`."""
    export = Export(out, with_start, drop_wrong)

    def on_event(event: Event) -> None:
        if isinstance(event, Variant):
            export.write(event)
        line.emit(event)

    with ProgressLine() as line:
        for request in requests:
            engine().run(request, on_event)
    return export.result()


class Export:
    """Writes variants to a folder as they are generated, so that none is lost.

    Parameters
    ----------
    out : Path
        The folder.
    with_start : bool
        See :class:`~napari_pixcell.datasets.export.PairWriter`.
    drop_wrong : bool
        Leave nuclei out of the masks that the images do not show.
    """

    def __init__(self, out: Path, with_start: bool = False, drop_wrong: bool = False) -> None:
        from napari_pixcell.datasets import PairWriter

        self._out, self._writer = out, PairWriter(out, with_start)
        self._drop_wrong = drop_wrong
        self._rows: list[dict[str, Any]] = []
        self._seeds: list[int] = []
        self._nuclei: list[str] = []

    def write(self, variant: Variant) -> None:
        """Write one variant: image, mask and record."""
        record = variant.record.without_wrong() if self._drop_wrong else variant.record
        self._rows.append(self._writer.write(variant.image, record.mask, record))
        self._seeds.append(record.request.seed)
        if record.repair is not None:
            self._nuclei.append(record.repair.sentence())
        if isinstance(variant.image, StoredPicture):
            variant.image.delete()

    def result(self) -> cli.Result:
        """Return what was written."""
        return {
            "folder": str(self._out),
            "images": [row["image"] for row in self._rows],
            "masks": [row["mask"] for row in self._rows],
            "seeds": self._seeds,
            **({"nuclei": self._nuclei} if self._nuclei else {}),
        }


def check_folder_of(*paths: Path | None) -> None:
    """Raise if the folder of a file to write does not exist."""
    for path in paths:
        if path is not None and not path.absolute().parent.is_dir():
            raise PixCellError(
                f"The folder for {path.name} does not exist. Create it, or choose another."
            )
