"""``napari-pixcell dataset make --scheduler`` and ``--cluster``: workers of Dask."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing

from napari_pixcell.cli import dataset_processes
from napari_pixcell.cli import options as cli
from napari_pixcell.cli.dataset_processes import cancelled, made_result
from napari_pixcell.cli.dataset_runs import RunOutput
from napari_pixcell.cli.devices import check_device_alone
from napari_pixcell.cluster.extra import what_is_missing
from napari_pixcell.cluster.settings import ClusterSettings
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.errors import PixCellError
from napari_pixcell.preferences import SCHEDULER_TIMEOUT


def on_cluster(options: cli.Options) -> bool:
    """Return True if workers of Dask make the dataset."""
    return options.scheduler is not None or options.cluster is not None


def run_on_cluster(request: DatasetRequest, options: cli.Options, run: RunOutput) -> cli.Result:
    """Make a dataset with the workers of a scheduler that runs, or of one started for it."""
    if options.shard is not None:
        raise PixCellError(
            "--shard cannot be combined with --scheduler or --cluster, which share the pairs out "
            "themselves. Leave one of them out."
        )
    check_device_alone(options, "scheduler" if options.cluster is None else "cluster")
    settings = ClusterSettings.load(options.cluster) if options.cluster else None
    lacking = what_is_missing()
    if lacking:
        raise PixCellError(lacking)
    from napari_pixcell.cluster.connection import Connection
    from napari_pixcell.cluster.coordinator import make_on_cluster
    from napari_pixcell.cluster.jobs import Jobs

    timeout = _timeout()
    with ExitStack() as ends:
        scheduler, jobs = options.scheduler, None
        if settings is not None:
            jobs = ends.enter_context(closing(Jobs(settings)))
            scheduler = jobs.cluster
        connection = ends.enter_context(closing(Connection(scheduler, timeout)))
        if connection.dashboard and (settings is None or settings.dashboard):
            run.add_dashboard(connection.dashboard)
        start = dataset_processes.start_engine
        try:
            found = make_on_cluster(request, connection, start, run.emit, run.cancelled, jobs)
            run.check()
        except KeyboardInterrupt:
            return cancelled(request.folder)
    return made_result(request, found.failed if found is not None else 0)


def _timeout() -> float:
    variable = SCHEDULER_TIMEOUT.variable
    text = os.environ.get(variable, "")
    try:
        seconds = float(text or SCHEDULER_TIMEOUT.number)
    except ValueError:
        seconds = 0
    if not 0 < seconds < 1e6:
        raise PixCellError(f"{variable} is “{text[:40]}”. Use a number of seconds, such as 30.")
    return seconds
