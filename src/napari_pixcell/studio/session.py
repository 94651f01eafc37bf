"""One working session: its parts, and how they are wired."""

from __future__ import annotations

import time
from collections.abc import Callable

from napari_pixcell.engine.styles.cache import EmbeddingCache
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.cells.inventing import Invention
from napari_pixcell.studio.cells.layout_files import LayoutFiles
from napari_pixcell.studio.cells.layouts import Layouts
from napari_pixcell.studio.cells.segmentation import Segmentation
from napari_pixcell.studio.client import Client
from napari_pixcell.studio.datasets.datasets import Datasets
from napari_pixcell.studio.generation.generator import Generator
from napari_pixcell.studio.generation.grids import Grids
from napari_pixcell.studio.generation.queue import JobQueue
from napari_pixcell.studio.measures import Measures
from napari_pixcell.studio.models import InstalledModels
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.regions.regions import Regions
from napari_pixcell.studio.results.export import Exporter
from napari_pixcell.studio.results.gallery import Gallery
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
from napari_pixcell.studio.styles.library import Styles
from napari_pixcell.studio.styles.styles import RegionStyles
from napari_pixcell.studio.tasks import Tasks


class Session:
    """The state of the studio, without Qt: it *has* its parts, and does nothing itself.

    Every method of a part returns at once. What takes time is a task, whose outcome comes with
    :meth:`pump`, which the owner of the main thread calls. Nothing raises for what a user did: the
    sentence goes to :attr:`notices`, under the name of the section it belongs to.

    Parameters
    ----------
    client : Client
        Runs the requests.
    cache : EmbeddingCache, optional
        Where embeddings are kept; by default the user's own.

    Attributes
    ----------
    changed : Signal
        Anything that the dock shows.
    """

    def __init__(self, client: Client, cache: EmbeddingCache | None = None) -> None:
        self.client = client
        self.background = background = Background()
        self.notices = notices = Notices()
        self.changed = notices.changed
        self.settings = settings = Settings()
        self.tasks = tasks = Tasks(client, background, notices)
        self.slides = slides = Slides(background, notices)
        self.models = models = InstalledModels(settings, background)
        self.regions = regions = Regions(slides, settings, notices)
        self.gallery = gallery = Gallery(background, notices)
        self.exporter = exporter = Exporter(slides, gallery, background, notices)

        self.embedder = embedder = Embedder(tasks, cache or EmbeddingCache())
        self.embeddings = RegionEmbeddings(slides, regions, models, settings, embedder, notices)
        self.library = library = Styles(models, settings, embedder, tasks, notices)
        self.styles = styles = RegionStyles(regions, library, models, settings, tasks, notices)

        self.layouts = layouts = Layouts(slides, regions, settings, background, notices)
        self.segmentation = Segmentation(slides, regions, layouts, settings, tasks, notices)
        self.layout_files = LayoutFiles(slides, regions, layouts, settings, background, notices)
        self.invention = Invention(regions, layouts, settings, tasks, notices)

        self.queue = queue = JobQueue(tasks, gallery)
        self.grids = grids = Grids(queue, gallery, background)
        self.generator = Generator(
            slides=slides,
            models=models,
            settings=settings,
            regions=regions,
            layouts=layouts,
            styles=styles,
            gallery=gallery,
            exporter=exporter,
            queue=queue,
            grids=grids,
            background=background,
            notices=notices,
        )
        self.staining = Staining(
            slides=slides,
            regions=regions,
            layouts=layouts,
            settings=settings,
            gallery=gallery,
            exporter=exporter,
            embedder=embedder,
            queue=queue,
            grids=grids,
            tasks=tasks,
            notices=notices,
        )
        self.training = StainTraining(slides, regions, models, self.staining, tasks, notices)
        self.similar = SimilarTissue(
            slides=slides,
            models=models,
            settings=settings,
            regions=regions,
            styles=styles,
            cache=embedder.cache,
            tasks=tasks,
        )
        self.measures = Measures(
            slides=slides,
            regions=regions,
            layouts=layouts,
            gallery=gallery,
            settings=settings,
            tasks=tasks,
            notices=notices,
        )
        self.datasets = Datasets(
            slides=slides,
            models=models,
            settings=settings,
            regions=regions,
            library=library,
            queue=queue,
            tasks=tasks,
            notices=notices,
        )
        self.saver = Saver(
            slides=slides,
            regions=regions,
            layouts=layouts,
            gallery=gallery,
            snapshots=Snapshots(
                slides=slides,
                settings=settings,
                regions=regions,
                library=library,
                invention=self.invention,
                gallery=gallery,
                queue=queue,
                measures=self.measures,
                exporter=exporter,
            ),
            background=background,
            notices=notices,
        )
        self.restoring = Restoring(
            slides=slides,
            settings=settings,
            regions=regions,
            layouts=layouts,
            invention=self.invention,
            library=library,
            styles=styles,
            gallery=gallery,
            measures=self.measures,
            exporter=exporter,
            queue=queue,
            saver=self.saver,
            background=background,
            notices=notices,
        )
        self._connect()
        library.refresh()

    def _connect(self) -> None:
        # Bound methods are held weakly: the settings would keep a session for ever otherwise.
        self.settings.events.connect(self._show)
        self.datasets.choice.events.connect(self._show)
        for part in (
            self.tasks,
            self.queue,
            self.gallery,
            self.embedder,
            self.similar,
            self.measures,
        ):
            part.changed.connect(self.changed.emit)
        self.slides.changed.connect(self.regions.fit)
        self.slides.changed.connect(self.regions.changed.emit)
        self.models.checked.connect(self._models_checked)

    def _show(self, *_: object) -> None:
        self.changed.emit()

    def _models_checked(self) -> None:
        self.staining.forget_missing()
        self.segmentation.check()
        self.regions.fit()
        self.changed.emit()

    # -- all of it -------------------------------------------------------------------------

    def cancel(self) -> None:
        """Cancel what runs: the first of these parts that has something to cancel."""
        parts = (
            self.queue,
            self.staining,
            self.styles,
            self.similar,
            self.training,
            self.invention,
            self.segmentation,
        )
        any(part.cancel() for part in parts)
        self.changed.emit()

    def free_memory(self) -> None:
        """End the worker process; the next request starts a new one."""
        self.background.talk(self.client.restart)
        self.segmentation.segmenter.forget()
        self.notices.note("slide", "Memory was released. The next request loads the model again.")

    def pump(self) -> bool:
        """Take in what came from threads and worker; called often, in the main thread."""
        came = self.background.pump()
        self.queue.flush()
        self.generator.tick()
        self.saver.tick()
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
        self.background.close()
        self.gallery.close()
        self.client.close()
