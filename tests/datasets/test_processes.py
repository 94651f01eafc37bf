"""Work that processes share: the same answers in the same order, and one sentence if it fails."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import shared_work
from drawn_dataset import make_dataset
from installed_formats import INSTALLED

from napari_pixcell.datasets.formats.converting import begin_pairs, convert
from napari_pixcell.datasets.processes import MOST_WORKERS, Processes, worker_count
from napari_pixcell.datasets.report.writing import write_report
from napari_pixcell.datasets.splits import Split
from napari_pixcell.datasets.store.completeness import check_dataset
from napari_pixcell.datasets.store.dataset import MANIFEST, Dataset
from napari_pixcell.datasets.store.rows import append_rows, read_rows
from napari_pixcell.errors import PixCellError


@pytest.fixture(scope="module")
def two() -> Iterator[Processes]:
    with Processes(2) as processes:
        yield processes


def values(found: Iterator[object]) -> list[object]:
    return [(answer.value, answer.data) for answer in found]


def test_answers_come_in_the_order_of_the_tasks(two: Processes) -> None:
    for times in (2, 3):
        settings = {"times": times}
        alone = values(Processes().map(shared_work.multiplies, settings, range(40)))
        assert alone == [(times * n, bytes(n)) for n in range(40)]
        assert values(two.map(shared_work.multiplies, settings, range(40))) == alone


def test_a_single_task_needs_no_process(two: Processes) -> None:
    assert values(two.map(shared_work.names_its_process, None, [0])) == [(os.getpid(), b"")]


def test_tasks_are_taken_when_they_are_needed(two: Processes) -> None:
    tasks = iter(range(99))
    answers = two.map(shared_work.multiplies, {"times": 1}, tasks)
    next(answers)
    assert next(tasks) <= 2 * two.count + 1
    answers.close()


@pytest.mark.parametrize(
    ("work", "error", "words"),
    [
        (shared_work.refuses, PixCellError, "This task is refused"),
        (shared_work.fills_the_disk, OSError, "No space left"),
        (shared_work.has_a_bug, RuntimeError, "ZeroDivisionError"),
    ],
)
def test_what_a_task_raises_is_raised(
    two: Processes, work: Callable[[object], object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as raised:
        values(two.map(work, None, range(9)))
    if error is OSError:
        assert raised.value.errno == errno.ENOSPC
    assert values(two.map(shared_work.multiplies, {"times": 1}, range(2))) == [(0, b""), (1, b"\0")]


def test_the_task_of_a_killed_process_is_done_again(two: Processes, tmp_path: Path) -> None:
    mark = str(tmp_path / "killed")
    assert values(two.map(shared_work.kills_itself_once, mark, range(6))) == [
        (n, b"") for n in range(6)
    ]
    assert Path(mark).exists()


def test_a_task_that_always_kills_its_process_is_given_up(two: Processes) -> None:
    sentence = r"given up after 4 attempts: its process was killed \(signal 9\), perhaps for lack "
    with pytest.raises(PixCellError, match=sentence + r"of memory\. Free some memory, or run"):
        values(two.map(shared_work.kills_itself, None, range(6)))


def test_the_number_of_workers_is_checked() -> None:
    assert worker_count(3) == 3 and worker_count(None) >= 1
    for number in (0, -1, MOST_WORKERS + 1):
        with pytest.raises(PixCellError, match=f"--workers is {number}. Choose a number from 1 to"):
            worker_count(number)


# -- datasets ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Ninety pairs of two slides and five groups of layouts; every fifth is flagged."""
    return make_dataset(tmp_path_factory.mktemp("many") / "drawn", styles=9, layouts=10)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("format", ["coco", "webdataset"])  # whose pairs share files
def test_a_conversion_is_the_same_by_two_processes(
    dataset: Dataset, tmp_path: Path, format: str
) -> None:
    split = Split(0.3)
    alone = convert(dataset, format, tmp_path / "alone", split)
    told: list[tuple[int, int]] = []
    shared = convert(
        dataset, format, tmp_path / "two", split, lambda *at: told.append(at), workers=2
    )
    assert shared.counts == alone.counts
    assert contents(tmp_path / "two") == contents(tmp_path / "alone")
    total = sum(shared.counts.values())
    assert told == [(n, total) for n in range(1, total + 1)]


@pytest.mark.parametrize("format", INSTALLED)
def test_pairs_may_be_written_again_by_another_process(
    dataset: Dataset, tmp_path: Path, format: str
) -> None:
    settings = {"dataset": str(dataset.folder), "format": format, "folder": str(tmp_path)}
    pairs = {row["index"]: offset for offset, row in dataset.offsets(MANIFEST)}
    task = [(pairs[index], index, "", number) for number, index in enumerate((3, 7))]
    answers, files = [], []
    for _ in range(2):  # as if the first process were killed once it had written them
        answers.append(begin_pairs(settings | {"counts": {"": 2}, "classes": []})(task))
        files.append(contents(tmp_path))
    assert answers[0] == answers[1] and files[0] == files[1]


def test_a_full_disk_leaves_nothing_of_a_shared_conversion(
    dataset: Dataset, small_disk: Path
) -> None:
    with pytest.raises(PixCellError, match=r"The disk of out is full. Free some space or choose"):
        convert(dataset, "stardist", small_disk / "out", workers=2)
    assert not list(small_disk.iterdir())


def test_a_cancelled_shared_conversion_leaves_nothing(dataset: Dataset, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(dataset, "cellpose", tmp_path / "out", on_progress=stop, workers=2)
    assert not list(tmp_path.iterdir())


def test_a_check_finds_the_same_by_two_processes(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "data", styles=7, layouts=10).folder
    rows = list(read_rows(folder / "manifest.jsonl"))
    (folder / "manifest.jsonl").unlink()
    rows[40] |= {"seed": 7}
    append_rows(folder / "manifest.jsonl", [*rows[:30], *rows[31:], rows[2], {"index": 999}])
    with (folder / "manifest.jsonl").open("ab") as file:
        file.write(b'{"index": 3, "ima\n')
    (folder / "images/000050.png").write_bytes((folder / "images/000051.png").read_bytes())
    (folder / "masks/000060.tif").write_bytes(b"no mask")
    (folder / "styles/000001.npy").unlink()
    alone, shared = (check_dataset(Dataset(folder), workers=n) for n in (1, 2))
    assert shared.to_dict() == alone.to_dict()
    assert {"twice", "torn", "unplanned", "changed", "unreadable", "style", "planned"} <= set(
        alone.counts
    )


def test_a_report_is_the_same_by_two_processes(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_pixcell.datasets.store.rows.ROWS_AT_ONCE", 16)
    monkeypatch.setattr("napari_pixcell.datasets.report.writing.now", lambda: "then")
    alone = write_report(dataset, tmp_path / "alone.html").read_bytes()
    with Processes(2) as processes:
        shared = write_report(dataset, tmp_path / "two.html", processes=processes)
        assert shared.read_bytes() == alone
