"""The connection of a coordinator to a Dask scheduler."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Any

from distributed import Client, Future

from napari_pixcell.cluster import worker_tasks
from napari_pixcell.cluster.worker_tasks import TOPIC, Answer
from napari_pixcell.errors import PixCellError

FETCH = 30.0  # seconds for the answer of a task that has ended


class SchedulerLost(PixCellError):
    """The scheduler has ended, or cannot be reached any more."""


class Connection:
    """Sends tasks to chosen workers, and collects their answers and messages.

    Parameters
    ----------
    scheduler : str or Cluster
        Its address, or a cluster of Dask that this process has started.
    timeout : float
        Seconds to wait for it.

    Raises
    ------
    PixCellError
        If it cannot be reached.
    """

    def __init__(self, scheduler: Any, timeout: float) -> None:
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # failures become sentences
        self.name = scheduler if isinstance(scheduler, str) else scheduler.scheduler_address
        self._ended: SimpleQueue[Future[Any]] = SimpleQueue()
        self.messages: SimpleQueue[Answer] = SimpleQueue()
        try:
            self._client = Client(scheduler, timeout=timeout, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:  # ValueError: it is no address
            raise PixCellError(
                f"The scheduler {self.name} cannot be reached within {timeout:g} s. Check that it "
                "runs, and its address, such as tcp://host:8786."
            ) from error
        with self._talking():
            self._client.subscribe_topic(TOPIC, self._receive)

    def _receive(self, event: tuple[float, Answer]) -> None:
        self.messages.put(event[1])

    @contextmanager
    def _talking(self) -> Iterator[None]:
        try:
            if self._client.status not in ("running", "newly-created"):
                raise OSError(self._client.status)
            yield
        except (OSError, TimeoutError) as error:
            raise SchedulerLost(
                f"The scheduler {self.name} has ended or cannot be reached any more. Start it, and "
                "run the same command again. Complete pairs are kept."
            ) from error

    @property
    def dashboard(self) -> str:
        """Address of the dashboard; empty if there is none."""
        with self._talking():
            services = self._client.scheduler_info()["services"]
        return str(self._client.dashboard_link) if "dashboard" in services else ""

    def workers(self) -> dict[str, str]:
        """Return the names of the workers by their addresses."""
        with self._talking():
            found = self._client.scheduler_info()["workers"]
        return {address: str(worker["name"]) for address, worker in found.items()}

    def submit(self, address: str, function: Callable[..., Answer], *values: Any) -> Future[Any]:
        """Send a task to a worker. :meth:`ended` returns it once it has ended."""
        with self._talking():
            future = self._client.submit(function, *values, workers=[address], pure=False)
            future.add_done_callback(self._ended.put)
        return future

    def ended(self, timeout: float) -> list[Future[Any]]:
        """Wait for tasks that have ended, and return them; empty after ``timeout`` seconds."""
        found = []
        with suppress(Empty):
            found.append(self._ended.get(timeout=timeout))
            while True:
                found.append(self._ended.get_nowait())
        return found

    def run(
        self, addresses: Collection[str], function: Callable[..., Any], *values: Any
    ) -> dict[str, Any]:
        """Run a short function on workers at once, beside their tasks.

        Returns
        -------
        dict
            Results by addresses. That of a worker where it failed is the exception.
        """
        if not addresses:
            return {}
        workers = list(addresses)
        with self._talking():
            found = self._client.run(function, *values, workers=workers, on_error="return")
        return dict(found)

    def versions(self, addresses: Collection[str]) -> dict[str, Any]:
        """Return the versions of napari-pixcell that workers import, or exceptions.

        Workers that have ended meanwhile are left out.
        """
        found = self.run(addresses, _version, worker_tasks.__name__)
        return {address: one for address, one in found.items() if not isinstance(one, OSError)}

    def scheduler_version(self) -> Any:
        """Return the version of napari-pixcell that the scheduler imports, or an exception.

        It reads the names of the functions of tasks, and so must have them.
        """
        with self._talking():
            try:
                return self._client.run_on_scheduler(_version, worker_tasks.__name__)
            except ImportError as error:
                return error

    def close(self) -> None:
        """End the connection. Tasks that have not begun are discarded."""
        with suppress(OSError, TimeoutError):
            self._client.close()


def _version(module: str) -> str:
    import importlib

    importlib.import_module(module)
    return str(importlib.import_module(module.split(".")[0]).__version__)


# So it travels as code. A worker that cannot import the module of a task would end, without a word.
_version.__module__ = "__main__"
