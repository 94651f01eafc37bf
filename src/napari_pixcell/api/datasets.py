"""Datasets of image–mask pairs in the public API."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.api.dataset_workers import Gpus, InWorkers, check_workers, worker_environments
from napari_pixcell.api.engine import PublicEngine
from napari_pixcell.api.long_work import long_answer, resumable, run_long
from napari_pixcell.api.progress import ProgressDisplay, WantedProgress
from napari_pixcell.api.running import RequestRunner
from napari_pixcell.api.warning import warn
from napari_pixcell.datasets.formats.converting import Converted
from napari_pixcell.datasets.formats.converting import convert as convert_dataset
from napari_pixcell.datasets.parallel.joining import join_finished, read_failed
from napari_pixcell.datasets.processes import Processes
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.splits import Split
from napari_pixcell.datasets.store.completeness import check_dataset
from napari_pixcell.datasets.store.dataset import Dataset as DatasetFolder
from napari_pixcell.datasets.store.findings import Findings
from napari_pixcell.engine.events import Evaluated
from napari_pixcell.errors import PixCellError, check_range
from napari_pixcell.evaluation.request import EvaluateRequest
from napari_pixcell.stability import public


@dataclass(frozen=True, eq=False)
class DatasetPair:
    """A pair of a dataset. Its files are read when they are asked for.

    Parameters
    ----------
    row : dict
        What the manifest says of it, such as ``flags`` and ``scores``.
    """

    row: dict[str, Any]
    _dataset: DatasetFolder = field(repr=False)

    @property
    def index(self) -> int:
        """Number in the plan of the dataset, from 0."""
        return int(self.row["index"])

    @property
    def seed(self) -> int:
        """Seed of its noise."""
        return int(self.row["seed"])

    @property
    def image(self) -> NDArray[np.uint8]:
        """The image: uint8, (height, width, 3). Raises PixCellError if it is damaged."""
        return self._dataset.image(self.row)

    @property
    def mask(self) -> NDArray[Any] | None:
        """Its cells as a label image, (height, width); None without a layout."""
        return self._dataset.mask(self.row)

    @property
    def flagged(self) -> bool:
        """Whether a check flagged it."""
        return bool(self.row["flags"])


@public("Dataset")
class PublicDataset:
    """A dataset of image–mask pairs in a folder.

    ``len(dataset)`` is the number of its pairs, and iteration yields them. For a cluster, use
    ``napari-pixcell dataset make``, which writes the same files.

    Parameters
    ----------
    folder : str or Path
        As :meth:`make`, napari or the command line wrote it.

    Raises
    ------
    PixCellError
        If it holds no dataset, or one of another version.
    """

    def __init__(self, folder: str | Path) -> None:
        self._stored = DatasetFolder(folder)

    @classmethod
    def make(
        cls,
        recipe: str | Path | dict[str, Any] | DatasetRecipe,
        out: str | Path,
        *,
        first: int | None = None,
        engine: PublicEngine | None = None,
        workers: int | None = None,
        gpus: Gpus | None = None,
        progress: WantedProgress = False,
    ) -> PublicDataset:
        """Make the pairs of a recipe.

        Parameters
        ----------
        recipe : str, Path, dict or DatasetRecipe
            File of a recipe, or its content. Relative paths in a dictionary start at the working
            directory.
        out : str or Path
            A new folder.
        first : int, optional
            Make only this number of pairs. :meth:`resume` makes the rest.
        engine : Engine, optional
            Runs the models, and shows its own progress. By default one in this process that is
            closed afterwards.
        workers : int, optional
            Make the pairs in this number of processes, each with models of its own. The pairs are
            the same.
        gpus : "all" or sequence of int, optional
            Make the pairs in a process on each of these GPUs.
        progress : bool or callable
            As for :class:`Engine`, in pairs. With several processes it is called at least every
            second, so that it can cancel at any time.

        Warns
        -----
        PixCellWarning
            If pairs failed, see :attr:`failed`, or could not be checked in every way.

        Raises
        ------
        PixCellError
            If the recipe cannot be followed, the folder is not new, or there is no such GPU.
        RequestCancelled
            If it was cancelled. Complete pairs are kept.
        """
        if isinstance(recipe, str | Path):
            recipe = DatasetRecipe.load(recipe)
        elif not isinstance(recipe, DatasetRecipe):
            recipe = DatasetRecipe.from_dict(recipe).placed_in(Path.cwd())
        _make(_request(out, recipe, first), engine, workers, gpus, progress)
        return cls(out)

    def resume(
        self,
        *,
        first: int | None = None,
        engine: PublicEngine | None = None,
        workers: int | None = None,
        gpus: Gpus | None = None,
        progress: WantedProgress = False,
    ) -> PublicDataset:
        """Make the pairs that are missing, and return the dataset. Parameters: :meth:`make`."""
        _make(_request(self.folder, None, first), engine, workers, gpus, progress)
        self._stored = DatasetFolder(self.folder)
        return self

    @property
    def folder(self) -> Path:
        """Its folder."""
        return self._stored.folder

    @property
    def name(self) -> str:
        """Its name, for people."""
        return self._stored.description.name

    @property
    def mpp(self) -> float:
        """Pixel size of its images in µm."""
        return self._stored.description.mpp

    @property
    def planned(self) -> int:
        """Number of pairs once it is complete."""
        return len(self._stored.plan)

    @property
    def failed(self) -> dict[int, str]:
        """Why pairs could not be made, by their numbers. :meth:`resume` tries them again."""
        return read_failed(self.folder)

    def __len__(self) -> int:
        return sum(1 for _ in self._stored.rows())

    def __iter__(self) -> Iterator[DatasetPair]:
        return (DatasetPair(row, self._stored) for row in self._stored.rows())

    def __repr__(self) -> str:
        return f"Dataset({str(self.folder)!r})"

    def check(self, *, workers: int = 1, progress: WantedProgress = False) -> Findings:
        """Check that every file is complete, unchanged, marked as synthetic and traceable.

        Parameters
        ----------
        workers : int
            Processes that share the work.
        progress : bool or callable
            As for :class:`Engine`, in pairs.

        Returns
        -------
        Findings
            ``whole`` is True if all is well; ``sentences`` name each problem and its remedy.

        Raises
        ------
        PixCellError
            If another process is working on the dataset.
        """
        check_workers(workers)
        with ProgressDisplay(progress) as display:
            return check_dataset(
                self._stored, lambda done, total: display.check(done, total, "Checking"), workers
            )

    def convert(
        self,
        format: str,
        out: str | Path,
        *,
        validation: float = 0.0,
        test: float = 0.0,
        seed: int = 0,
        workers: int = 1,
        progress: WantedProgress = False,
    ) -> Converted:
        """Write the accepted pairs in the format of another program.

        Parameters
        ----------
        format : str
            ``cellpose``, ``stardist``, ``coco``, ``yolo``, ``huggingface``, ``webdataset``,
            ``ome-zarr`` or ``qupath``.
        out : str or Path
            A new folder.
        validation, test : float
            Shares of the pairs for validation and testing. No slide or layout is in two parts.
        seed : int
            Seed of the split.
        workers, progress
            As for :meth:`check`.

        Returns
        -------
        Converted
            ``counts`` holds the number of pairs of each part.

        Raises
        ------
        PixCellError
            If the format is unknown, or the folder is not new. Nothing is left behind then.
        """
        check_workers(workers)
        split = Split(validation, test, seed) if validation or test else None
        warn(join_finished(self.folder))
        with ProgressDisplay(progress) as display:
            converted = convert_dataset(
                self._stored,
                format,
                out,
                split,
                lambda done, total: display.check(done, total, "Converting"),
                workers,
            )
        warn(self._stored.damage)
        return converted

    def report(
        self, out: str | Path | None = None, *, workers: int = 1, progress: WantedProgress = False
    ) -> Path:
        """Write an HTML page about the dataset, and return its path.

        Parameters
        ----------
        out : str or Path, optional
            By default ``report.html`` in the dataset.
        workers : int
            Processes that share the work.
        progress : bool or callable
            As for :class:`Engine`, in scores.

        Raises
        ------
        PixCellError
            If there is no pair yet, or the page cannot be written.
        """
        from napari_pixcell.datasets.report.writing import write_report

        check_workers(workers)
        warn(join_finished(self.folder))
        path = self.folder / "report.html" if out is None else Path(out)
        with Processes(workers) as processes, ProgressDisplay(progress) as display:
            written = write_report(
                self._stored,
                path,
                lambda done, total: display.check(done, total, "Reading"),
                processes=processes,
            )
        warn(self._stored.damage)
        return written

    def evaluate(
        self,
        real: str | Path,
        *,
        test: str | Path = "",
        out: str | Path = "",
        engine: PublicEngine | None = None,
        progress: WantedProgress = False,
        **settings: Any,
    ) -> Evaluated:
        """Measure on your labelled tiles whether the pairs help to train a segmenter.

        Trainings that are finished are kept in the folder of results. The same call resumes.

        Parameters
        ----------
        real : str or Path
            Folder of labelled tiles: images and labels.
        test : str or Path
            Folder of test tiles. By default half of the slides of ``real`` are held out.
        out : str or Path
            Folder of the results. By default ``evaluation`` in the dataset.
        engine, progress
            As for :meth:`make`.
        **settings
            ``mpp``, ``seeds``, ``steps``, ``share``, ``arms``, ``network``, ``model``, see
            ``napari-pixcell dataset evaluate --help``.

        Returns
        -------
        Evaluated
            ``answer`` (``help``, ``harm``, ``do not help`` or ``cannot be told``), ``sentence``,
            ``cost`` and ``page``.

        Raises
        ------
        PixCellError
            If pairs or tiles are missing or do not fit each other, or a setting is unknown.
        RequestCancelled
            If it was cancelled.
        """
        known = {"mpp", "seeds", "steps", "share", "arms", "network", "model"}
        if unknown := sorted(set(settings) - known):
            raise PixCellError(
                f"There is no setting {unknown[0]}. Choose some of: {', '.join(sorted(known))}."
            )
        request = EvaluateRequest(str(self.folder), str(real), str(test), str(out), **settings)
        return long_answer(request, Evaluated, engine, progress)


def _request(folder: str | Path, recipe: DatasetRecipe | None, first: int | None) -> DatasetRequest:
    if first is not None:
        check_range("number of pairs to make first", first, 1, 10**9)
    return DatasetRequest(str(folder), recipe, first)


def _make(
    request: DatasetRequest,
    engine: PublicEngine | None,
    workers: int | None,
    gpus: Gpus | None,
    progress: WantedProgress,
) -> None:
    """Make a dataset on the user's engine, on one of its own, or in several processes."""
    environments = worker_environments(workers, gpus)
    if not environments:
        run_long(request, engine, progress)
        return
    if engine is not None:
        raise PixCellError(
            "Workers have engines of their own. Omit engine, or omit workers and gpus."
        )
    with resumable():
        RequestRunner(InWorkers(environments), progress).run(request, lambda event: None)
