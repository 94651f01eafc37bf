"""Worker processes of this machine that make a dataset together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from napari_pixcell.datasets.processes import MOST_WORKERS
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.engine.events import Emit
from napari_pixcell.errors import PixCellError, check_range
from napari_pixcell.worker.requests import AnyRequest

if TYPE_CHECKING:
    from napari_pixcell.datasets.recipe.runner import DatasetEngine

Gpus: TypeAlias = "Literal['all'] | Sequence[int]"


def start_engine() -> DatasetEngine:
    """Return the engine of a worker process."""
    from napari_pixcell.engine.engine import Engine

    return Engine()


def check_workers(workers: int) -> None:
    """Raise PixCellError unless a number of processes is possible."""
    check_range("number of workers", workers, 1, MOST_WORKERS)


def worker_environments(workers: int | None, gpus: Gpus | None) -> list[dict[str, str]]:
    """Return the environment variables of each worker; none if there are to be no workers.

    Raises
    ------
    PixCellError
        If there are too few or too many, there is no such GPU, or both are given.
    """
    if workers is not None and gpus is not None:
        raise PixCellError("Each GPU gets one worker. Pass workers or gpus, not both.")
    if workers is not None:
        check_workers(workers)
        return [{} for _ in range(workers)]
    if gpus is None:
        return []
    from napari_pixcell.models.gpus import gpu_environments  # imports torch

    return gpu_environments(gpus if isinstance(gpus, str) else ",".join(map(str, gpus)))


class InWorkers:
    """Makes datasets in several processes; see :class:`~napari_pixcell.api.backends.Backend`.

    Parameters
    ----------
    environments : sequence of mapping
        Environment variables of each process.
    """

    def __init__(self, environments: Sequence[Mapping[str, str]]) -> None:
        self._environments = environments

    def run(
        self, request: AnyRequest, emit: Emit, cancelled: Callable[[], bool], previews: bool
    ) -> None:
        """Make a dataset. There are no previews."""
        from napari_pixcell.datasets.parallel.coordinator import make_with_workers

        assert isinstance(request, DatasetRequest)
        make_with_workers(request, start_engine, self._environments, emit, cancelled)

    def free(self) -> None:
        """Do nothing: the processes end with the dataset."""
