"""Datasets made by a Dask scheduler and workers in processes of their own, on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import parallel_engines
import pytest
from dask_processes import (
    NO_PACKAGE,
    OTHER_VERSION,
    OTHER_WEIGHTS,
    START,
    DaskProcesses,
    dask_processes,
)
from drawn_engine import drawn_recipe
from parallel_engines import ACTED, AT, BlockEngine
from same_datasets import is_whole, prepared, rows_of
from twins import PAIRS as TWINS
from twins import twin_of_two_slides

import napari_pixcell
from napari_pixcell.cluster.connection import Connection
from napari_pixcell.cluster.coordinator import make_on_cluster
from napari_pixcell.datasets.parallel.joining import FAILED, JoinedDataset
from napari_pixcell.datasets.recipe.making import make_dataset
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.engine.events import Event, Finished, Notice, Progress
from napari_pixcell.errors import PixCellError

PAIRS = 12
WHOLE = JoinedDataset(PAIRS, PAIRS, 0, "")
TIMEOUT = 60.0  # of the connection, on a machine that may be busy
NO_PATIENCE = 0.0


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskProcesses]:
    folder = tmp_path_factory.mktemp("dask")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ACTED, str(folder / "acted"))
        patch.setenv("PIXCELL_DATA_DIR", str(folder / "user"))
        with dask_processes(folder) as started:
            yield started


@pytest.fixture
def connection(processes: DaskProcesses, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """A connection to a scheduler with two workers, some of them of earlier tests."""
    monkeypatch.setenv("PIXCELL_DATA_DIR", str(processes.folder / "user"))
    monkeypatch.setenv(ACTED, str(processes.folder / "acted"))
    processes.acted.unlink(missing_ok=True)
    processes.have("good", 2)
    connection = Connection(processes.address, TIMEOUT)
    processes.wait(connection, 2)
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    """The rows of the dataset that one process makes."""
    folder, engine = tmp_path_factory.mktemp("alone") / "data", BlockEngine()
    make_dataset(request_of(folder), engine.run, lambda event: None, block=engine.at_once)
    return rows_of(folder)


def request_of(folder: Path, most: int | None = None) -> DatasetRequest:
    return DatasetRequest(str(folder), drawn_recipe(), most)


def make(
    folder: Path, connection: Connection, start=parallel_engines.whole, **more
) -> tuple[JoinedDataset, list[Event]]:
    events: list[Event] = []
    joined = make_on_cluster(request_of(folder), connection, start, events.append, **more)
    assert joined is not None
    return joined, events


def notices(events: list[Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, Notice)]


def test_two_workers_make_the_dataset_that_one_process_makes(
    connection: Connection, alone, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    assert connection.dashboard.startswith("http://127.0.0.1:")
    some = make_on_cluster(
        request_of(folder, most=3), connection, parallel_engines.whole, lambda event: None
    )
    assert some is not None and some.pairs == 3
    joined, events = make(folder, connection)
    assert joined == WHOLE and notices(events) == []
    shown = [event.message for event in events if isinstance(event, Progress)]
    assert any(text.startswith("3 of 12 pairs, 2 workers") for text in shown)
    assert shown[-1] == "12 of 12 pairs" and events[-1] == Finished()
    is_whole(folder, PAIRS)
    assert rows_of(folder) == alone


def test_a_killed_worker_costs_only_its_chunk(
    processes: DaskProcesses, connection: Connection, alone, tmp_path: Path
) -> None:
    joined, events = make(tmp_path / "data", connection, parallel_engines.kills_itself)
    assert processes.acted.exists() and joined == WHOLE
    (notice,) = notices(events)
    assert notice.startswith("Pairs 6 to 7 are retried: the worker good")
    is_whole(tmp_path / "data", PAIRS)
    assert rows_of(tmp_path / "data") == alone


def test_workers_prepare_a_twin_and_exchange_its_tissue(
    processes: DaskProcesses, connection: Connection, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("PIXCELL_DATA_DIR", str(tmp_path / "user"))  # not that of the workers
    recipe, events = twin_of_two_slides(tmp_path), list[Event]()
    request = DatasetRequest(str(tmp_path / "data"), recipe)
    engine, start = BlockEngine(), parallel_engines.kills_itself_preparing
    joined = make_on_cluster(request, connection, start, events.append)
    assert processes.acted.exists() and joined == JoinedDataset(TWINS, TWINS, 0, "")
    (killed,) = notices(events)
    assert killed.startswith("The preparation of ") and killed.endswith("has ended.")
    one = DatasetRequest(str(tmp_path / "alone"), recipe)
    make_dataset(one, engine.run, lambda event: None, block=engine.at_once)
    assert prepared(tmp_path / "data") == prepared(tmp_path / "alone")
    rows = rows_of(tmp_path / "data")
    assert rows == rows_of(tmp_path / "alone")  # all were compared with the tissue
    assert all(row["scores"]["copy_pixels"] is not None for row in rows)


COORDINATE = """
import os, sys
from pathlib import Path
import parallel_engines, test_cluster
from napari_pixcell.cluster.connection import Connection
Path(os.environ[parallel_engines.ACTED] + ".owner").write_text(str(os.getpid()))
connection = Connection(sys.argv[2], test_cluster.TIMEOUT)
test_cluster.make(Path(sys.argv[1]), connection, parallel_engines.kills_owner)
"""


def test_a_killed_coordinator_resumes_where_it_stopped(
    processes: DaskProcesses, connection: Connection, alone, tmp_path: Path
) -> None:
    folder, here = tmp_path / "data", Path(__file__).parent
    paths = [str(here), str(here.parent / "support"), *filter(None, [os.environ.get("PYTHONPATH")])]
    killed = subprocess.run(
        [sys.executable, "-c", COORDINATE, str(folder), processes.address],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -9 and processes.acted.exists(), killed.stderr
    assert (folder / ".owner.json").exists()
    joined, _ = make(folder, connection)
    assert joined == WHOLE
    is_whole(folder, PAIRS)
    assert rows_of(folder) == alone


def test_a_pair_that_fails_is_retried_and_listed(connection: Connection, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    joined, _ = make(folder, connection, parallel_engines.refuses_one)
    assert joined == JoinedDataset(PAIRS - 1, PAIRS, 1, "7")
    row = json.loads((folder / FAILED).read_text())
    assert row == {"index": AT - 1234, "reason": "This seed is refused; choose another."}
    assert make(folder, connection)[0] == WHOLE
    is_whole(folder, PAIRS)


def test_a_cancelled_run_keeps_its_pairs(connection: Connection, tmp_path: Path) -> None:
    folder, events = tmp_path / "data", list[Event]()
    joined = make_on_cluster(
        request_of(folder),
        connection,
        parallel_engines.whole,
        events.append,
        lambda: any(isinstance(event, Progress) and event.done for event in events),
    )
    assert events[-1] == Finished(cancelled=True)
    assert joined is not None and 0 < joined.pairs < PAIRS
    assert make(folder, connection)[0] == WHOLE
    is_whole(folder, PAIRS)


def test_workers_that_differ_are_named_and_get_no_work(
    processes: DaskProcesses, connection: Connection, tmp_path: Path
) -> None:
    folder, own = tmp_path / "data", napari_pixcell.__version__
    make_on_cluster(
        request_of(folder, most=2), connection, parallel_engines.whole, lambda event: None
    )
    processes.have("older", 1, OTHER_VERSION)
    processes.have("reweighted", 1, OTHER_WEIGHTS)
    processes.have("bare", 1, NO_PACKAGE + START)
    processes.wait(connection, 5)
    joined, events = make(folder, connection)
    assert joined == WHOLE
    bare, older, reweighted = sorted(notices(events))
    assert f"has napari-pixcell 0.0.1, and this process {own}. Install" in older
    assert "has other weights of demo (" in reweighted and "encoder" in reweighted
    assert "cannot import napari-pixcell (ModuleNotFoundError: " in bare
    for name, notice in (("bare", bare), ("older", older), ("reweighted", reweighted)):
        assert notice.startswith(f"The worker {name}") and notice.endswith("It gets no work.")
        processes.end(name)
    processes.wait(connection, 2)
    is_whole(folder, PAIRS)


def test_a_folder_that_workers_do_not_see_is_refused_at_the_start(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("/proc/self/cwd/data")  # another folder in each process
    with pytest.raises(
        PixCellError, match=r"The worker good\d+ \(tcp://.*\) does not see the fold"
    ):
        make(folder, connection, patience=NO_PATIENCE)
    assert not list((tmp_path / "data").glob("[!.]*"))


def test_a_recipe_that_cannot_be_followed_is_refused(
    connection: Connection, tmp_path: Path
) -> None:
    recipe = drawn_recipe(styles=({"from": "folder", "path": str(tmp_path / "nothing")},))
    request = DatasetRequest(str(tmp_path / "data"), recipe)
    with pytest.raises(PixCellError, match="nothing"):
        make_on_cluster(request, connection, parallel_engines.whole, lambda event: None)


def test_a_scheduler_without_the_package_is_named(tmp_path: Path) -> None:
    with dask_processes(tmp_path, NO_PACKAGE) as bare:
        connection = Connection(bare.address, TIMEOUT)
        with pytest.raises(PixCellError, match=r"The scheduler tcp://.* cannot import napari-pixc"):
            make(tmp_path / "data", connection)
        connection.close()


def test_a_scheduler_that_ends_is_named(tmp_path: Path) -> None:
    with dask_processes(tmp_path) as lonely:
        connection = Connection(lonely.address, TIMEOUT)

        def emit(event: Event) -> None:
            if isinstance(event, Progress) and event.message.startswith("Waiting for a worker"):
                lonely.end("")

        with pytest.raises(
            PixCellError, match=r"The scheduler tcp://.* has ended or cannot be rea"
        ):
            make_on_cluster(request_of(tmp_path / "data"), connection, parallel_engines.whole, emit)
        connection.close()
