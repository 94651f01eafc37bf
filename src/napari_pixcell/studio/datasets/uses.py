"""What is made of a dataset once it is there: a report, and what other programs read."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from napari_pixcell.datasets.marks import safe_name
from napari_pixcell.datasets.splits import Split
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.studio.background import sentence

if TYPE_CHECKING:
    from napari_pixcell.studio.session import Session

SECTION = "dataset"
TOLD_EVERY_S = 0.3
VALIDATION = 0.2  # of the pairs, where some are set apart


class DatasetUses:
    """Writes reports and conversions, one at a time, in a thread of its own.

    Parameters
    ----------
    session : Session
        Which says how it went.

    Attributes
    ----------
    busy : str
        What is under way, and how far it is; empty if nothing is.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.busy = ""

    def report(self, folder: Path) -> None:
        """Write the report of a dataset into its folder."""

        def work(tell: Callable[[int, int], None]) -> str:
            from napari_pixcell.datasets.report import write_report

            path = write_report(Dataset(folder), folder / "report.html", tell)
            return f"“{path.name}” is in “{folder.name}”: open it in a browser."

        self._start("Writing the report", work)

    def convert(self, folder: Path, kind: str, into: Path, split: bool) -> None:
        """Write the pairs of a dataset that are used as another program reads them.

        Parameters
        ----------
        folder : Path
            Of the dataset.
        kind : str
            One of :data:`napari_pixcell.datasets.formats.FORMATS`.
        into : Path
            Gets a new folder for it.
        split : bool
            Set a fifth apart for validation; no slide and no layout is then on both sides.
        """

        def work(tell: Callable[[int, int], None]) -> str:
            from napari_pixcell.datasets.formats import convert

            dataset = Dataset(folder)
            out = into / f"{safe_name(dataset.description.name)}-{kind}"
            parts = Split(VALIDATION) if split else None
            return convert(dataset, kind, out, parts, tell).sentence

        self._start("Converting", work)

    def _start(self, words: str, work: Callable[[Callable[[int, int], None]], str]) -> None:
        session = self._session
        if self.busy:
            return
        session.say(SECTION, "")
        self.busy = f"{words}…"
        told = time.monotonic()

        def tell(done: int, total: int) -> None:
            nonlocal told
            if time.monotonic() - told > TOLD_EVERY_S:
                told = time.monotonic()
                self.busy = f"{words}… {done:,} of {total:,}"
                session.background.post(session.changed.emit)

        def end(say: Callable[[str, str], None], text: str) -> None:
            self.busy = ""
            say(SECTION, text)
            session.changed.emit()

        def run() -> None:
            try:
                text = work(tell)
                session.background.post(lambda: end(session.note, text))
            except Exception as error:
                problem = sentence(error)
                session.background.post(lambda: end(session.say, problem))

        threading.Thread(target=run, name="pixcell-dataset", daemon=True).start()
        session.changed.emit()
