"""Families checked against published figures, from the model manager."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_pixcell.engine.events import Verified
from napari_pixcell.studio.long_work import LongTask, LongWork
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.tasks import Tasks

if TYPE_CHECKING:
    from napari_pixcell.verification.report import VerificationReport

SECTION = "models"
STOPPED = "The check stopped. What was downloaded is kept."


@dataclass(eq=False, kw_only=True)
class VerifyTask(LongTask):
    """A check of a family under way."""

    section: str = SECTION
    message: str = "Waiting for the worker"


@dataclass(eq=False)
class FamilyVerification:
    """Checks families in the worker, one at a time.

    The table is ``report.rows`` of :attr:`report`. Progress is that of :attr:`job`; problems and
    the outcome in words are the notices of ``models``.
    """

    tasks: Tasks
    notices: Notices

    def __post_init__(self) -> None:
        self.report: VerificationReport | None = None  # of the last check that ended
        self._work = LongWork(self.tasks, self.notices, Verified, STOPPED)

    @property
    def job(self) -> LongTask | None:
        return self._work.task

    @property
    def busy(self) -> str:
        return self.job.sentence() if self.job is not None else ""

    def offer(self, name: str) -> str:
        """Return what a check would download, to ask the user. Empty if nothing."""
        from napari_pixcell.models.families import get_family
        from napari_pixcell.verification.samples import offer

        return offer(get_family(name))

    def start(self, name: str, folder: Path | None = None, agreed: bool = False) -> None:
        """Check a family.

        Parameters
        ----------
        folder : Path, optional
            Copy of the sample data.
        agreed : bool
            Whether the user accepted what :meth:`offer` says.
        """
        if self.job is not None:
            return
        from napari_pixcell.verification.request import VerifyRequest

        self.report = None
        request = VerifyRequest(name, str(folder or ""), agreed)
        self._work.start(VerifyTask(), request, self._finished)

    def cancel(self) -> bool:
        """Stop the check. True if one was running."""
        return self._work.cancel()

    def save(self, path: Path) -> None:
        """Write the report as JSON, to attach it to a bug report."""
        from napari_pixcell.verification.report import write_report

        if self.report is not None:
            with self.notices.reporting(SECTION):
                write_report(path, self.report.to_dict())
                self.notices.note(SECTION, f"The report was saved as {path.name}.")

    def _finished(self, found: Verified) -> str:
        from napari_pixcell.verification.report import VerificationReport

        self.report = VerificationReport.from_dict(found.report)
        return self.report.sentence()
