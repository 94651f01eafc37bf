"""One working session: its parts, and how they are wired."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import fields
from typing import TypeVar

from napari_pixcell.engine.styles.cache import EmbeddingCache
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.cells.classes import CellClasses
from napari_pixcell.studio.cells.inventing import Invention
from napari_pixcell.studio.cells.layout_files import LayoutFiles
from napari_pixcell.studio.cells.layouts import Layouts
from napari_pixcell.studio.cells.segmentation import Segmentation
from napari_pixcell.studio.controls.training import ControlTraining
from napari_pixcell.studio.datasets.datasets import Datasets
from napari_pixcell.studio.generation.generator import Generator
from napari_pixcell.studio.generation.grids import Grids
from napari_pixcell.studio.generation.queue import JobQueue
from napari_pixcell.studio.guide import Guide
from napari_pixcell.studio.measures import Measures
from napari_pixcell.studio.models import InstalledModels
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.regions.regions import Regions
from napari_pixcell.studio.results.export import Exporter
from napari_pixcell.studio.results.gallery import Gallery
from napari_pixcell.studio.saving.recent import RecentSessions
from napari_pixcell.studio.saving.restoring import Restoring
from napari_pixcell.studio.saving.saver import Saver
from napari_pixcell.studio.saving.snapshot import Snapshots
from napari_pixcell.studio.settings import Settings
from napari_pixcell.studio.similar import SimilarTissue
from napari_pixcell.studio.slides import Slides
from napari_pixcell.studio.stains.staining import Staining
from napari_pixcell.studio.stains.training import StainTraining
from napari_pixcell.studio.styles.embedder import Embedder
from napari_pixcell.studio.styles.embeddings import RegionEmbeddings
from napari_pixcell.studio.styles.features import FeatureStyles
from napari_pixcell.studio.styles.library import Styles
from napari_pixcell.studio.styles.styles import RegionStyles
from napari_pixcell.studio.tasks import Client, Tasks
from napari_pixcell.studio.verifying import FamilyVerification

T = TypeVar("T")


class Session:
    """The state of the studio, without Qt: it *has* its parts, and does nothing itself.

    A part is a dataclass whose fields are the parts that it uses.

    Every method of a part returns at once. Whatever takes time is a task, whose outcome is
    delivered by :meth:`pump`, which the owner of the main thread calls. Mistakes of a user raise
    nothing: their messages go to :attr:`notices`, under the name of their section.

    Parameters
    ----------
    client : Client
        Runs the requests.
    cache : EmbeddingCache, optional
        Cache of embeddings; by default the user's own.

    Attributes
    ----------
    changed : Signal
        Anything that the dock shows has changed.
    """

    def __init__(self, client: Client, cache: EmbeddingCache | None = None) -> None:
        self.client = client
        self.background = Background()
        self.notices = Notices()
        self.changed = self.notices.changed
        self.settings = Settings()
        self.tasks = Tasks(client, self.background, self.notices)
        self.slides = self._make(Slides)
        self.models = self._make(InstalledModels)
        self.regions = self._make(Regions)
        self.gallery = Gallery(self.background, self.notices)
        self.exporter = self._make(Exporter)
        self.cache = cache or EmbeddingCache()
        self.embedder = self._make(Embedder)
        self.embeddings = self._make(RegionEmbeddings)
        self.library = self._make(Styles)
        self.styles = self._make(RegionStyles)
        self.features = self._make(FeatureStyles)
        self.layouts = self._make(Layouts)
        self.classes = self._make(CellClasses)
        self.segmentation = self._make(Segmentation)
        self.layout_files = self._make(LayoutFiles)
        self.invention = self._make(Invention)
        self.queue = self._make(JobQueue)
        self.grids = self._make(Grids)
        self.generator = self._make(Generator)
        self.guide = self._make(Guide)
        self.staining = self._make(Staining)
        self.training = self._make(StainTraining)
        self.verification = self._make(FamilyVerification)
        self.control_training = self._make(ControlTraining)
        self.similar = self._make(SimilarTissue)
        self.measures = self._make(Measures)
        self.datasets = self._make(Datasets)
        self.snapshots = self._make(Snapshots)
        self.recent = self._make(RecentSessions)
        self.saver = self._make(Saver)
        self.restoring = self._make(Restoring)
        self._connect()
        self.library.refresh()

    def _make(self, kind: type[T]) -> T:
        """Return a part, made of the earlier parts that its fields name."""
        names = [field.name for field in fields(kind) if field.init]  # type: ignore[arg-type]
        return kind(**{name: getattr(self, name) for name in names})

    def _connect(self) -> None:
        # Bound methods are held weakly: the settings would keep a session for ever otherwise.
        self.settings.events.connect(self._show)
        self.datasets.choice.events.connect(self._show)
        parts = (self.tasks, self.queue, self.gallery, self.embedder, self.similar, self.measures)
        for part in parts:
            part.changed.connect(self.changed.emit)
        self.regions.changed.connect(self._turn_to_region)
        self.slides.changed.connect(self.regions.fit)
        self.slides.changed.connect(self.regions.changed.emit)
        self.models.checked.connect(self._models_checked)

    def _show(self, *_: object) -> None:
        self.changed.emit()

    def _turn_to_region(self) -> None:
        self.notices.turn_to(self.regions.active_on(self.slides.key))

    def _models_checked(self) -> None:
        self.staining.forget_missing()
        self.segmentation.check()
        self.regions.fit()
        self.changed.emit()

    # -- all parts -------------------------------------------------------------------------

    def cancel(self) -> bool:
        """Cancel what runs: the first of these parts that has something to cancel.

        Returns
        -------
        bool
            False if nothing runs.
        """
        parts = (
            self.queue,
            self.staining,
            self.styles,
            self.features,
            self.similar,
            self.training,
            self.control_training,
            self.datasets.evaluation,
            self.verification,
            self.invention,
            self.segmentation,
        )
        cancelled = any(part.cancel() for part in parts)
        self.changed.emit()
        return cancelled

    def free_memory(self) -> None:
        """End the worker process; the next request starts a new one."""
        self.background.talk(self.client.restart)
        self.segmentation.segmenter.forget()
        self.notices.note("slide", "Memory was released. The next request loads the model again.")

    def pump(self) -> bool:
        """Deliver results of threads and worker; called often, in the main thread."""
        came = self.background.pump()
        self.queue.flush()
        self.generator.tick()
        self.saver.tick()
        self.datasets.outside.tick()
        return came

    @property
    def busy(self) -> bool:
        """True while anything is under way."""
        waiting = any(item.embedding_busy for item in self.regions.items.values())
        return self.tasks.busy or waiting

    def wait(self, seconds: float = 60, until: Callable[[], bool] | None = None) -> None:
        """Pump until nothing is under way, or until ``until`` holds; for scripts and tests.

        Raises
        ------
        TimeoutError
            If it takes longer than ``seconds``.
        """
        end = time.monotonic() + seconds
        while self.busy if until is None else not until():
            if time.monotonic() > end:
                raise TimeoutError(f"still busy after {seconds} s")
            if not self.pump():
                time.sleep(0.01)
        self.pump()

    def close(self) -> None:
        """Save, and end the worker; the session cannot be used afterwards."""
        self.saver.close()
        self.invention.cancel()
        self.features.release()
        self.background.close()
        self.gallery.close()
        self.client.close()
