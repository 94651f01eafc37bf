"""The log of a run, and what is read from it: alive, dead, elsewhere, ended."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from drawn_engine import DrawnEngine, drawn_recipe
from logged_run import running, until

from napari_pixcell.datasets.recipe.opening import prepare_dataset
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.runs import log as run_log
from napari_pixcell.datasets.runs.listing import RunList, forget_run
from napari_pixcell.datasets.runs.log import (
    KEPT,
    MOST_BYTES,
    STOP,
    RunLog,
    log_of,
    recipe_of,
    request_stop,
)
from napari_pixcell.datasets.runs.state import run_of
from napari_pixcell.datasets.store.lock import OWNER, LockedElsewhere
from napari_pixcell.engine.events import Failure, Finished, Notice, Progress
from napari_pixcell.errors import PixCellError
from napari_pixcell.folders import data_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def prepared(folder: Path) -> Path:
    request = DatasetRequest(str(folder), drawn_recipe())
    prepare_dataset(request, DrawnEngine().run, lambda event: None)
    return folder


def change_head(folder: Path, **values: object) -> None:
    head, *lines = log_of(folder).read_text().splitlines(keepends=True)
    value = json.loads(head)
    value["run"] |= values
    log_of(folder).write_text(json.dumps(value) + "\n" + "".join(lines))


def test_the_log_of_a_run_is_private_and_outside_the_dataset(prepared: Path) -> None:
    before = {path.name for path in prepared.iterdir()}
    log = RunLog(prepared, ["dataset", "resume"], ["--workers", "2"])
    log.add(Progress(3, 12, "3 of 12 pairs, 2 workers"))
    assert {path.name for path in prepared.iterdir()} == before
    assert log_of(prepared).is_relative_to(data_folder())
    assert log_of(prepared).stat().st_mode & 0o077 == 0
    state = run_of(prepared)
    assert (state.stage, state.done, state.total) == ("running", 3, 12)
    assert state.sentence() == "3 of 12 pairs, 2 workers"
    log.close(Finished())
    assert run_of(prepared).stage == "complete"


def test_a_log_of_any_length_stays_small_and_readable(folder: Path) -> None:
    log = RunLog(folder)
    log.add_dashboard("http://here:8787/status")
    for number in range(3 * MOST_BYTES // 100):
        log.add(Notice(f"Pair {number:,} failed: {'.' * 100}"))
        log.add(Progress(number, 10**6, f"{number:,} of 1,000,000 pairs"))
        assert log_of(folder).stat().st_size <= MOST_BYTES + 1000
    state = run_of(folder)
    assert state.head is not None
    assert state.notices[-1].startswith(f"Pair {number:,} failed") and len(state.notices) >= KEPT
    assert state.head.earlier + len(state.notices) == number + 1
    assert state.dashboard == "http://here:8787/status"
    log.close(Failure("The disk is full. Free some space and resume the dataset."))
    failed = run_of(folder)
    assert (failed.stage, failed.sentence()[:17]) == ("failed", "The disk is full.")


def test_lines_that_are_torn_or_of_a_later_version_are_skipped(folder: Path) -> None:
    log = RunLog(folder)
    log.add(Progress(5, 12, "5 of 12 pairs"))
    with log_of(folder).open("ab") as file:
        file.write(b'{"event":"weather"}\n{"event":"progress"}\n[1]\n{"event":"noti')
    assert run_of(folder).done == 5
    log.close(Finished())
    log_of(folder).write_bytes(b'{"event":"run","run":{"id":3}}\n')
    with pytest.raises(PixCellError, match="There is no dataset in data"):
        run_of(folder)


def test_a_second_process_of_the_user_is_refused(folder: Path) -> None:
    with (
        running(folder),
        pytest.raises(LockedElsewhere, match="Another process is making the dataset data"),
    ):
        RunLog(folder)
    RunLog(folder).close(Finished())  # the killed one holds nothing


def test_a_request_stops_a_run_and_is_removed(folder: Path) -> None:
    with running(folder) as process:
        request_stop(folder)
        assert process.wait() == 0
    state = run_of(folder)
    assert state.stage == "cancelled" and not (folder / STOP).exists()
    request_stop(folder)  # too late; it must not stop the next run
    log = RunLog(folder)
    assert not (folder / STOP).exists() and not log.stop_wanted
    log.close(Finished())
    with pytest.raises(PixCellError, match="cannot be asked to stop: gone is not writable"):
        request_stop(folder / "gone")


def test_a_run_whose_process_is_gone_has_died(folder: Path, prepared: Path) -> None:
    with running(folder) as process:
        change_head(folder, began=0.0)  # another process has its number now
        assert run_of(folder).stage == "died"
        process.kill()  # and not waited for: a zombie
        until(folder, lambda state: state.stage == "died")
    assert run_of(folder).sentence() == "its process has died, 0 of 12 pairs complete. Resume it"


def test_a_run_on_another_machine_is_named_with_its_last_sign_of_life(folder: Path) -> None:
    log = RunLog(folder)
    log.add(Progress(5, 12, "5 of 12 pairs, 3 workers"))
    change_head(folder, host="node-7")
    state = run_of(folder)
    assert state.live and state.owner is not None
    assert state.owner.words.startswith(f"Process {state.owner.process} on node-7 (since ")
    assert state.sentence().startswith("on node-7, last sign of life ")
    assert state.sentence().endswith(": 5 of 12 pairs, 3 workers")
    log.close(Finished())


@pytest.mark.parametrize(
    ("host", "process", "stage", "sentence"),
    [
        ("node-7", 12, "elsewhere", "on node-7: 0 of 12 pairs"),
        (None, 1, "running", "0 of 12 pairs"),
        (None, 2**22 + 1, "died", "its process has died, 0 of 12 pairs complete. Resume it"),
    ],
)
def test_a_process_without_a_log_is_known_by_its_record(
    prepared: Path, host: str | None, process: int, stage: str, sentence: str
) -> None:
    record = {"process": process, "host": host or platform.node()}
    (prepared / OWNER).write_text(json.dumps(record | {"since": "2026-01-02T03:04:05+00:00"}))
    state = run_of(prepared)
    assert (state.stage, state.sentence()) == (stage, sentence)


def test_a_dataset_that_nobody_makes_says_how_far_it_is(prepared: Path) -> None:
    assert run_of(prepared).sentence() == "not running, 0 of 12 pairs"


def test_runs_are_listed_until_they_end_and_dead_ones_until_they_are_forgotten(
    tmp_path: Path,
) -> None:
    runs, first, second = RunList(), tmp_path / "first", tmp_path / "second"
    with running(first), running(second) as process:
        assert {state.name for state in runs.look()} == {"first", "second"}
        request_stop(second)
        process.wait()
        assert [state.name for state in runs.look()] == ["first"]
        followed = runs.look({second, tmp_path / "nowhere"})
        assert {state.stage for state in followed} == {"cancelled", "running"}
    assert [(state.name, state.stage) for state in runs.look()] == [("first", "died")]
    forget_run(first)
    assert runs.look() == [] and list(log_of(first).parent.glob(f"{log_of(first).stem}.*")) == []


def test_a_run_removes_the_recipe_that_it_was_started_with(folder: Path) -> None:
    log = RunLog(folder)
    recipe_of(folder).write_text("{}")
    log.close(Finished())
    assert not recipe_of(folder).exists()


def test_a_run_does_not_depend_on_its_log(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXCELL_DATA_DIR", f"{sys.executable}/inside a file")
    log = RunLog(folder)
    log.add(Progress(1, 2, "1 of 2 pairs"))
    log.close(Finished())


def test_many_old_logs_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_log, "MOST_LOGS", 2)
    for number in range(5):
        RunLog(tmp_path / str(number)).close(Finished())
    assert len(list(run_log.runs_folder().glob("*.jsonl"))) == 3


def test_the_log_is_written_without_the_models(tmp_path: Path) -> None:
    code = "import sys, napari_pixcell.datasets.runs.listing as _; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
