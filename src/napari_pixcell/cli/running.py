"""How commands run requests: one engine, progress on the terminal, results in a folder."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cli import options as cli
from napari_pixcell.cli.region import ChosenRegion
from napari_pixcell.engine.events import Embedding, Event, Preview, Progress, Variant
from napari_pixcell.engine.request_values import GenerateRequest, Request
from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.stored_picture import StoredPicture

if TYPE_CHECKING:
    from napari_pixcell.engine.engine import Engine

E = TypeVar("E", bound=Event)
REFRESH = 0.1  # seconds between updates of a line on a terminal


@cache
def engine() -> Engine:
    """Return the engine of this process, started when the first request needs torch."""
    from napari_pixcell.engine.engine import Engine

    return Engine()


class ProgressLine:
    """Progress on stderr: one line of a terminal, rewritten in place.

    Parameters
    ----------
    quiet : bool
        Show nothing.
    interval : float, optional
        Seconds between lines if stderr is not a terminal. By default nothing is shown there.
    """

    def __init__(self, quiet: bool = False, interval: float | None = None) -> None:
        self._terminal = sys.stderr is not None and sys.stderr.isatty()
        self._quiet = quiet or not (self._terminal or interval)
        self._interval = REFRESH if self._terminal else interval or 0.0
        self._last = 0.0
        self._pending = ""
        self._open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def show(self, text: str) -> None:
        """Show a text in place of the previous one, at once or soon."""
        self._pending = text
        if not self._quiet and time.monotonic() - self._last > self._interval:
            self._write()

    def note(self, text: str) -> None:
        """Print a message that stays."""
        self.end()
        self._print(f"{text}\n")

    def end(self) -> None:
        """Show the last text, and leave its line."""
        if self._pending and not self._quiet:
            self._write()
        if self._open:
            self._print("\n")
        self._pending, self._open = "", False

    def _write(self) -> None:
        line = f"\r\033[K{self._pending}" if self._terminal else f"{self._pending}\n"
        self._print(line)
        self._last, self._pending, self._open = time.monotonic(), "", self._terminal

    def _print(self, text: str) -> None:
        try:
            print(text, end="", file=sys.stderr, flush=True)
        except OSError:  # nobody reads it any more; the work continues
            self._quiet = True


def run(request: Request, on_variant: Callable[[Variant], None] | None = None) -> list[Event]:
    """Run a request and return its events, without previews.

    Variants go to ``on_variant`` if it is given: large ones are not kept in memory.
    """
    events: list[Event] = []

    def on_event(event: Event) -> None:
        if on_variant is not None and isinstance(event, Variant):
            on_variant(event)
        elif isinstance(event, Progress):
            line.show(f"{event.message}: {event.done}/{event.total}")
        elif not isinstance(event, Preview):
            events.append(event)

    with ProgressLine() as line:
        engine().run(request, on_event)
    return events


def answer(request: Request, kind: type[E]) -> E:
    """Run a request and return its event of one kind."""
    return next(event for event in run(request) if isinstance(event, kind))


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
    for request in requests:
        run(request, export.write)
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
