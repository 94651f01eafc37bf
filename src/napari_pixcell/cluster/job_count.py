"""The number of jobs of a cluster: more while chunks wait, fewer at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari_pixcell.cluster.settings import ClusterSettings


class JobCount:
    """Submits and cancels jobs between the least and the most number of workers.

    Parameters
    ----------
    cluster : JobQueueCluster
        Its jobs are one worker each.
    settings : ClusterSettings
    """

    def __init__(self, cluster: Any, settings: ClusterSettings) -> None:
        self._cluster, self._settings = cluster, settings

    def adapt(self, needed: int, idle: Sequence[str]) -> None:
        """Submit jobs for this number of workers, again for those that have ended.

        Parameters
        ----------
        needed : int
            Workers that would have work.
        idle : sequence of str
            Names of the workers without work, which may end.
        """
        settings, planned = self._settings, len(self._cluster.worker_spec)
        wanted = min(max(needed, settings.least_workers), settings.most_workers)
        if planned <= wanted:
            self._cluster.scale(wanted)
        elif idle:
            self._cluster.sync(self._cluster.scale_down, list(idle[: planned - wanted]))
