"""``napari-pixcell dataset`` with several processes: workers, shards, preparation and joining."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_pixcell.cli import options as cli
from napari_pixcell.cli.dataset_runs import RunOutput
from napari_pixcell.cli.devices import check_device_alone
from napari_pixcell.cli.exit_codes import ExitCode
from napari_pixcell.cli.messages import note, worker_messages
from napari_pixcell.cli.progress import ProgressLine
from napari_pixcell.cli.running import RESUME, engine
from napari_pixcell.datasets.processes import Processes, worker_count
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.gpus import gpu_environments

if TYPE_CHECKING:
    from napari_pixcell.datasets.recipe.runner import DatasetEngine

RECIPE = cli.path("recipe", "RECIPE.json", "recipe of the dataset, see docs/reference/recipe.md")
PROCESSES = (
    cli.argument("--workers", type=int, metavar="N", help="number of processes that work at once"),
    cli.argument("--gpus", metavar="all|0,1", help="start one process on each of these GPUs"),
)
_ONE_WAY = cli.exclusive(
    *PROCESSES,
    cli.argument(
        "--scheduler", metavar="tcp://HOST:PORT", help="use the workers of a Dask scheduler"
    ),
    cli.path("--cluster", "FILE.toml", "run workers as cluster jobs; see docs/how-to/clusters.md"),
)
_SHARD = cli.argument(
    "--shard",
    metavar="I/N",
    help="make only shard I of N, from 0/N on, for job arrays; then run “dataset join”",
)
WORKERS = cli.together(_ONE_WAY, _SHARD)


def start_engine() -> DatasetEngine:
    """Return the engine of a worker process."""
    worker_messages()
    return engine()


def in_processes(options: cli.Options) -> bool:
    """Return True if more than this process makes the dataset."""
    return any(value is not None for value in (options.workers, options.gpus))


def run_in_processes(request: DatasetRequest, options: cli.Options, run: RunOutput) -> cli.Result:
    """Make a dataset with workers."""
    environments = _environments(options)
    from napari_pixcell.datasets.parallel.coordinator import make_with_workers

    try:
        found = make_with_workers(request, start_engine, environments, run.emit, run.cancelled)
        run.check()
    except KeyboardInterrupt:
        return cancelled(request.folder)
    return made_result(request, found.failed if found is not None else 0)


def _environments(options: cli.Options) -> list[dict[str, str]]:
    """Return the environment variables of each process that ``--workers`` or ``--gpus`` asks for.

    Raises
    ------
    PixCellError
        If there are too few or too many, no such GPU, or also ``--device``.
    """
    if options.gpus is not None:
        check_device_alone(options, "gpus")
        return gpu_environments(options.gpus)
    return [{} for _ in range(worker_count(options.workers))]


def made_result(request: DatasetRequest, failed: int) -> cli.Result:
    """Return the result of a dataset that was made, but for the pairs that failed."""
    return _made(failed, _summary(request.folder))


def _made(failed: int, facts: cli.Result) -> cli.Result:
    code = ExitCode.FAILED if failed else ExitCode.DONE
    return facts | {"failed": failed, cli.EXIT_CODE: code}


def _summary(folder: str) -> cli.Result:
    """Return what a dataset holds, after its first pairs were drawn on a sheet."""
    from napari_pixcell.datasets.report.sheets import write_first_sheet
    from napari_pixcell.datasets.store.table import PairTable

    dataset = Dataset(folder)
    with Processes(worker_count(None)) as processes:
        table = PairTable(dataset, processes)
    facts: cli.Result = {
        "folder": folder,
        "pairs": len(table),
        "planned": len(dataset.plan),
        "flagged": int(table.flagged.sum()),
    }
    if len(table):
        facts["first pairs"] = str(write_first_sheet(dataset))
    return facts


def run_shard(request: DatasetRequest, options: cli.Options) -> cli.Result:
    """Make a shard of a dataset."""
    from napari_pixcell.datasets.parallel.chunks import Shard
    from napari_pixcell.datasets.parallel.shard_making import make_shard, make_shard_with_workers

    shard = Shard.parse(options.shard)
    if request.most is not None:
        raise PixCellError("--first cannot be combined with --shard. Leave one of them out.")
    try:
        with ProgressLine() as line:
            if not in_processes(options):
                failed = make_shard(request, shard, engine(), line.emit)
            else:
                failed = make_shard_with_workers(
                    request, shard, start_engine, _environments(options), line.emit
                )
    except KeyboardInterrupt:
        return cancelled(request.folder)
    return _made(len(failed), {"folder": request.folder, "shard": str(shard)})


@cli.command(
    "dataset prepare",
    RECIPE,
    cli.path("--out", "DIR", "a new folder", required=True),
    cli.exclusive(*PROCESSES),
    cli.DEVICE,
    cli.examples("dataset prepare recipe.json --out pairs"),
)
def prepare(options: cli.Options) -> cli.Result:
    """Prepare the styles and layouts of a dataset, before its shards make the pairs."""
    from napari_pixcell.datasets.parallel.chunks import chunk_size
    from napari_pixcell.datasets.parallel.coordinator import prepare_with_workers
    from napari_pixcell.datasets.recipe.opening import prepare_dataset

    request = DatasetRequest(str(options.out), DatasetRecipe.load(options.recipe))
    try:
        with ProgressLine() as line:
            if not in_processes(options):
                prepare_dataset(request, engine().run, line.emit, block=engine().at_once)
            else:
                prepare_with_workers(request, start_engine, _environments(options), line.emit)
    except KeyboardInterrupt:
        return cancelled(request.folder)
    dataset = Dataset(options.out)
    pairs, size = len(dataset.plan), chunk_size(dataset)
    return {"folder": str(options.out), "pairs": pairs, "chunks": -(-pairs // size)}


@cli.command("dataset join", cli.DATASET, cli.examples("dataset join pairs"))
def join(options: cli.Options) -> cli.Result:
    """Join what the shards of a dataset have made so far, and report what is missing."""
    from napari_pixcell.datasets.parallel.joining import join_dataset

    found = join_dataset(Dataset(options.folder))
    facts = {
        "folder": str(options.folder),
        "pairs": found.pairs,
        "planned": found.planned,
        "missing": found.missing or "none",
        "failed": found.failed,
    }
    return cli.checked(found.pairs >= found.planned, facts)


def join_parts(folder: Path) -> None:
    """Join the parts of a dataset that is to be read; print why if that is not possible."""
    from napari_pixcell.datasets.parallel.joining import join_finished

    if problem := join_finished(folder):
        note(problem)


def cancelled(folder: str) -> cli.Result:
    """Return the result of a cancelled command, and print how to resume."""
    note(f"Cancelled. {RESUME}")
    return cli.cancelled(folder=folder)
