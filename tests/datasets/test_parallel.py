"""Datasets made by several processes: workers, shards, joining, kills and failures."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import parallel_engines
import pytest
from drawn_engine import drawn_recipe
from faults import count, power_cut
from parallel_engines import ACTED, AT, BlockEngine
from PIL import Image
from same_datasets import is_whole, rows_of

from napari_pixcell.datasets.parallel.chunks import Shard, chunk_size, missing_chunks
from napari_pixcell.datasets.parallel.coordinator import make_with_workers
from napari_pixcell.datasets.parallel.joining import FAILED, JoinedDataset, join_dataset
from napari_pixcell.datasets.parallel.shard_making import make_shard
from napari_pixcell.datasets.recipe.making import make_dataset
from napari_pixcell.datasets.recipe.opening import prepare_dataset
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.report.writing import write_report
from napari_pixcell.datasets.store.completeness import check_dataset
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.parts import PARTS, part_paths, read_part
from napari_pixcell.datasets.store.table import PairTable
from napari_pixcell.engine.events import Event, Finished, Notice, Progress
from napari_pixcell.errors import PixCellError

PAIRS = 12


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXCELL_DATA_DIR", str(tmp_path / "user"))
    monkeypatch.setenv(ACTED, str(tmp_path / "acted"))


def request_of(folder: Path, recipe: DatasetRecipe | None = None) -> DatasetRequest:
    return DatasetRequest(str(folder), recipe or drawn_recipe())


def with_workers(
    folder: Path, start=parallel_engines.whole, workers: int = 1, **more
) -> tuple[JoinedDataset, list[Event]]:
    events: list[Event] = []
    request = more.pop("request", request_of(folder))
    joined = make_with_workers(request, start, [{}] * workers, events.append, **more)
    assert joined is not None
    return joined, events


def shard(folder: Path, text: str, engine: BlockEngine | None = None) -> dict[int, str]:
    return make_shard(
        request_of(folder), Shard.parse(text), engine or BlockEngine(), lambda event: None
    )


def alone(folder: Path) -> Path:
    engine = BlockEngine()
    make_dataset(request_of(folder), engine.run, lambda event: None, block=engine.at_once)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Datasets to copy: made by one process alone, begun, and made in parts that are not joined."""
    top = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIXCELL_DATA_DIR", str(top / "user"))
        begun = request_of(top / "begun")
        prepare_dataset(begun, BlockEngine().run, lambda e: None, block=lambda family: 2)
        shard(Path(shutil.copytree(top / "begun", top / "parts")), "0/1")
        alone(top / "alone")
    return {name: top / name for name in ("alone", "begun", "parts")}


@pytest.fixture
def expected(made: dict[str, Path]) -> list[dict[str, object]]:
    """The rows of the dataset that one process makes."""
    return rows_of(made["alone"])


# -- the same dataset, however it is made --------------------------------------------------


def test_shards_make_the_dataset_that_one_process_makes(tmp_path: Path, expected, made) -> None:
    folder = tmp_path / "shards"
    for text in ("2/3", "0/3", "1/3"):  # whichever comes first prepares
        assert shard(folder, text) == {}
    dataset = Dataset(folder)
    assert chunk_size(dataset) == dataset.description.block == 2
    assert [read_part(path).first for path in part_paths(folder)] == [0, 2, 4, 6, 8, 10]
    assert not (folder / "manifest.jsonl").exists()
    unjoined = check_dataset(dataset)
    assert unjoined.pairs == PAIRS and set(unjoined.counts) == {"unjoined"}
    joined = join_dataset(dataset)
    assert joined == JoinedDataset(PAIRS, PAIRS, 0, "")
    is_whole(folder, PAIRS)
    assert rows_of(folder) == expected
    ours = Dataset(folder).description.to_dict() | {"id": 0, "created": 0}
    assert ours == Dataset(made["alone"]).description.to_dict() | {"id": 0, "created": 0}


def test_workers_make_the_dataset_that_one_process_makes(tmp_path: Path, expected) -> None:
    joined, events = with_workers(tmp_path / "two", workers=2)
    assert joined == JoinedDataset(PAIRS, PAIRS, 0, "")
    assert isinstance(events[-1], Finished) and not events[-1].cancelled
    shown = [event.message for event in events if isinstance(event, Progress)]
    assert "0 of 12 pairs, 2 workers" in shown and shown[-1] == "12 of 12 pairs"
    is_whole(tmp_path / "two", PAIRS)
    assert rows_of(tmp_path / "two") == expected
    again, _ = with_workers(tmp_path / "two")  # nothing is left to make
    assert again == joined


def test_a_dataset_is_begun_alone_and_resumed_by_workers_and_shards(
    tmp_path: Path, expected
) -> None:
    folder, engine = tmp_path / "data", BlockEngine()
    first = DatasetRequest(str(folder), drawn_recipe(), most=3)
    make_dataset(first, engine.run, lambda event: None, block=engine.at_once)
    shard(folder, "1/2")
    some, _ = with_workers(folder, request=DatasetRequest(str(folder), None, most=1))
    assert some == JoinedDataset(3 + 5 + 1, PAIRS, 0, "5, 8–9")
    shard(folder, "0/2")
    join_dataset(Dataset(folder))
    is_whole(folder, PAIRS)
    assert rows_of(folder) == expected


def test_more_than_a_thousand_pairs_are_in_folders_of_a_thousand(tmp_path: Path) -> None:
    folder = tmp_path / "large"
    request = request_of(folder, drawn_recipe(seeds=200))
    prepare_dataset(request, BlockEngine().run, lambda event: None)
    dataset = Dataset(folder)
    assert len(dataset.plan) == 1200 and dataset.description.pairs_per_folder == 1000
    assert dataset.pair_names(1100, True)[1] == "apart/masks/001/001100.tif"


def test_pairs_in_several_folders_are_made_checked_and_recovered(tmp_path: Path, made) -> None:
    folder = Path(shutil.copytree(made["begun"], tmp_path / "data"))
    Dataset(folder).describe(pairs_per_folder=5)
    shard(folder, "0/2")
    make_dataset(DatasetRequest(str(folder)), BlockEngine().run, lambda event: None)
    is_whole(folder, PAIRS)  # what the shard made was joined first
    masks = {row["index"]: row["mask"].removeprefix("apart/") for row in Dataset(folder).rows()}
    assert (masks[4], masks[5]) == ("masks/000/000004.tif", "masks/001/000005.tif")
    beside = next(folder.rglob("000005.tif")).parent
    (beside / "stray.png").write_bytes(b"")
    (beside / ".000007.tif.abc.part").write_bytes(b"")
    assert set(check_dataset(Dataset(folder)).counts) == {"stray", "half"}
    (beside / "stray.png").unlink()
    manifest = folder / "manifest.jsonl"
    manifest.write_text("".join(manifest.read_text().splitlines(keepends=True)[:-1]))
    engine = BlockEngine()
    make_dataset(DatasetRequest(str(folder)), engine.run, lambda event: None)
    assert not any("Batch" in type(request).__name__ for request in engine.asked)
    assert check_dataset(Dataset(folder)).whole


def test_a_large_dataset_has_chunks_of_whole_blocks_up_to_64_pairs(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    request = request_of(folder, drawn_recipe(seeds=2000))
    prepare_dataset(request, BlockEngine().run, lambda e: None, block=lambda family: 6)
    dataset = Dataset(folder)
    assert chunk_size(dataset) == 60
    done = np.zeros(len(dataset.plan), bool)
    done[[60, 61, 63]] = done[120:180] = True
    chunks = list(missing_chunks(dataset, done, Shard(1, 2)))
    assert (chunks[0].first, chunks[0].stop, chunks[0].done) == (60, 120, (60, 61, 63))
    others = list(missing_chunks(dataset, done, Shard(0, 2)))
    assert [chunk.first for chunk in others[:2]] == [0, 240]  # 120 to 179 are complete
    assert sum(chunk.missing for chunk in chunks + others) == 12_000 - 63


# -- kills ---------------------------------------------------------------------------------


def test_a_killed_worker_costs_only_its_chunk(tmp_path: Path, expected) -> None:
    joined, events = with_workers(tmp_path / "data", parallel_engines.kills_itself, workers=2)
    assert (tmp_path / "acted").exists() and joined.pairs == PAIRS
    notices = [event.message for event in events if isinstance(event, Notice)]
    killed = "its worker was killed (signal 9), perhaps for lack of memory."
    assert notices == [f"Pairs 6 to 7 are retried: {killed}"]
    is_whole(tmp_path / "data", PAIRS)
    assert rows_of(tmp_path / "data") == expected


COORDINATE = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
import parallel_engines, test_parallel
if __name__ == "__main__":
    test_parallel.with_workers(Path(sys.argv[1]), parallel_engines.kills_coordinator, workers=2)
"""


def test_a_killed_coordinator_resumes_where_it_stopped(tmp_path: Path, expected) -> None:
    folder, script = tmp_path / "data", tmp_path / "coordinate.py"
    script.write_text(COORDINATE)
    here = Path(__file__).parent
    command = [sys.executable, str(script), str(folder), str(here), str(here.parent / "support")]
    killed = subprocess.run(command, capture_output=True, check=False)
    # Its output ends only once its workers, which have inherited it, have ended as well.
    assert killed.returncode == -9 and (tmp_path / "acted").exists(), killed.stderr
    assert len(list(Dataset(folder).rows())) < PAIRS
    joined, _ = with_workers(folder)
    assert joined.pairs == PAIRS
    is_whole(folder, PAIRS)
    assert rows_of(folder) == expected


def test_a_part_that_was_joined_before_a_kill_counts_once(tmp_path: Path, made) -> None:
    folder = Path(shutil.copytree(made["parts"], tmp_path / "data"))
    kept = {path: path.read_bytes() for path in part_paths(folder)}
    join_dataset(Dataset(folder))
    (folder / PARTS).mkdir()
    for path, data in kept.items():  # as if the process had ended before it removed them
        path.write_bytes(data)
    assert join_dataset(Dataset(folder)).pairs == PAIRS
    is_whole(folder, PAIRS)


def test_a_shard_that_was_killed_before_its_part_generates_nothing_again(
    tmp_path: Path, expected, made
) -> None:
    folder = Path(shutil.copytree(made["parts"], tmp_path / "data"))
    part_paths(folder)[3].unlink()
    engine = BlockEngine()
    shard(folder, "0/1", engine)
    assert not any("Batch" in type(request).__name__ for request in engine.asked)
    join_dataset(Dataset(folder))
    is_whole(folder, PAIRS)
    assert rows_of(folder) == expected


def test_a_power_cut_loses_no_part_that_was_written_or_joined(tmp_path: Path, made) -> None:
    def work(folder: Path) -> None:
        make_shard(request, Shard(0, 6), BlockEngine(), lambda event: None)
        join_dataset(Dataset(folder))

    def counted(folder: Path) -> dict[int, dict[str, Any]]:
        rows = [row for path in part_paths(folder) for row in read_part(path).rows]
        return {row["index"]: row for row in (*rows, *Dataset(folder).rows())}

    begun, request = made["begun"], request_of(tmp_path / "whole")
    shutil.copytree(begun, tmp_path / "whole")
    calls, counts = count(lambda: work(tmp_path / "whole")), []
    for number in range(calls - 1, 0, -5):
        root, kept = tmp_path / f"disk {number}", tmp_path / f"after {number}"
        shutil.copytree(begun, root / "data")
        request = request_of(root / "data")
        assert power_cut(number, lambda root=root: work(root / "data"), root, kept)
        rows = counted(kept / "data")
        for row in rows.values():
            for name, sha256 in row["files"].items():
                data = (kept / "data" / name).read_bytes()
                assert hashlib.sha256(data).hexdigest() == sha256, (number, name)
        counts.append(len(rows))
    assert counts == sorted(counts, reverse=True) and {0, 2} == set(counts)


# -- failures ------------------------------------------------------------------------------


def test_a_chunk_that_always_kills_its_worker_is_listed_and_the_run_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    joined, events = with_workers(folder, parallel_engines.always_kills_itself)
    assert joined == JoinedDataset(PAIRS - 2, PAIRS, 2, "6–7")
    notices = [event.message for event in events if isinstance(event, Notice)]
    assert len(notices) == 5  # the first attempt, three retries, and what to do
    assert notices[-1].endswith("failed, see failed.jsonl. Resume the dataset to retry.")
    rows = [json.loads(line) for line in (folder / FAILED).read_text().splitlines()]
    assert [row["index"] for row in rows] == [6, 7]
    assert rows[0]["reason"].startswith("Its worker was killed (signal 9), perhaps")
    shard(folder, "0/1")
    join_dataset(Dataset(folder))
    is_whole(folder, PAIRS)


def test_a_pair_that_fails_is_listed_and_the_others_of_its_chunk_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    engine = parallel_engines.refuses_one()
    assert shard(folder, "1/2", engine) == {AT - 1234: "This seed is refused; choose another."}
    assert shard(folder, "0/2") == {}
    joined = join_dataset(Dataset(folder))
    assert joined == JoinedDataset(PAIRS - 1, PAIRS, 1, "7")
    assert json.loads((folder / FAILED).read_text())["index"] == 7
    assert join_dataset(Dataset(folder)) == joined  # again, without new parts
    with pytest.raises(PixCellError, match=r"No pair was made: 1 pair failed. The first, pair 7: "):
        with_workers(folder, parallel_engines.refuses_one)
    assert json.loads((folder / FAILED).read_text())["reason"].startswith("This seed is refused")
    assert shard(folder, "1/2") == {}
    assert join_dataset(Dataset(folder)).pairs == PAIRS
    is_whole(folder, PAIRS)


def test_a_run_in_which_every_pair_fails_stops(tmp_path: Path) -> None:
    with pytest.raises(PixCellError, match=r"3 chunks in a row failed 4 times. The last"):
        with_workers(tmp_path / "a", parallel_engines.refuses_all)
    with pytest.raises(PixCellError, match=r"No pair was made: 6 pairs failed. The last, pair 9: "):
        shard(tmp_path / "b", "0/2", parallel_engines.refuses_all())


def test_a_full_disk_stops_the_run_and_loses_nothing(
    small_disk: Path, tmp_path: Path, expected, made
) -> None:
    folder, filler = small_disk / "data", small_disk / "filler"
    shutil.copytree(made["begun"], folder)
    filler.touch()
    with pytest.raises(OSError, match="No space"), filler.open("ab", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    with pytest.raises(PixCellError, match=r"The disk of data is full. Free some space and resume"):
        with_workers(folder)
    folder = Path(shutil.copytree(folder, tmp_path / "larger"))  # on a larger disk
    assert shard(folder, "0/1") == {}
    join_dataset(Dataset(folder))
    is_whole(folder, PAIRS)
    assert rows_of(folder) == expected


def test_a_part_of_other_weights_is_refused_by_name(tmp_path: Path, made) -> None:
    folder = Path(shutil.copytree(made["begun"], tmp_path / "data"))
    known = Dataset(folder).description.weights
    for text, sha256 in (("0/2", "one"), ("1/2", "other")):
        engine = BlockEngine()
        engine.weights = known | {"transformer": sha256}
        shard(folder, text, engine)
    with pytest.raises(PixCellError, match=r"000002.jsonl was made with other weights of demo"):
        join_dataset(Dataset(folder))
    assert len(list(Dataset(folder).rows())) == 2 and len(part_paths(folder)) == 5


def test_a_cancelled_run_keeps_its_pairs(tmp_path: Path) -> None:
    folder, events = tmp_path / "data", list[Event]()
    joined = make_with_workers(
        request_of(folder),
        parallel_engines.whole,
        [{}],
        events.append,
        lambda: any(isinstance(e, Progress) and e.done for e in events),
    )
    assert events[-1].cancelled and joined is not None and joined.pairs < PAIRS
    shard(folder, "0/1")
    join_dataset(Dataset(folder))
    is_whole(folder, PAIRS)


# -- copies --------------------------------------------------------------------------------


def test_pairs_that_are_not_checked_for_copies_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tissue = np.random.default_rng(0).integers(100, 255, (256, 256, 3), np.uint8)
    Image.fromarray(tissue).save(tmp_path / "tile.png")
    style = {"from": "picture", "path": str(tmp_path / "tile.png"), "mpp": 0.5}
    recipe, folder = drawn_recipe(styles=(style,), seeds=1), tmp_path / "data"
    request = DatasetRequest(str(folder), recipe, most=1)
    make_dataset(request, BlockEngine().run, lambda event: None)
    monkeypatch.setenv("PIXCELL_DATA_DIR", str(tmp_path / "another"))
    events: list[Event] = []
    make_dataset(DatasetRequest(str(folder)), BlockEngine().run, events.append)
    (notice,) = (e.message for e in events if isinstance(e, Notice) and "copies" in e.message)
    assert notice.startswith("Pairs are not checked for copies: the real tissue of 1 style is not")
    compared = [row["scores"]["copy_pixels"] is not None for row in Dataset(folder).rows()]
    assert compared == [True, False, False]
    found = check_dataset(Dataset(folder))
    assert found.whole and found.to_dict()["not checked for copies"] == 2
    assert found.sentences[1].startswith("2 pairs were not checked for copies of real tissue. To")
    page = write_report(Dataset(folder), tmp_path / "report.html").read_text("utf-8")
    assert "Not checked for copies of real tissue" in page


# -- refusals ------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["5/3", "3/3", "-1/3", "1", "a/b", "1/0", "0/0", "", "1/2/3"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(PixCellError, match=r"is no shard. Use i/n with i from 0 to n - 1"):
        Shard.parse(text)


def test_a_shard_waits_for_the_preparation_only_so_long(tmp_path: Path) -> None:
    from napari_pixcell.datasets.store.lock import locked

    folder = tmp_path / "data"
    folder.mkdir()
    with locked(folder), pytest.raises(PixCellError, match="run “napari-pixcell dataset prepare”"):
        make_shard(request_of(folder), Shard(), BlockEngine(), lambda event: None, wait=0)


def test_a_dataset_in_work_on_another_machine_is_refused(tmp_path: Path, made) -> None:
    folder = Path(shutil.copytree(made["alone"], tmp_path / "data"))
    owner = folder / ".owner.json"
    owner.write_text('{"process": 7, "host": "node07", "since": "2026-01-02T03:04:05+00:00"}')
    with pytest.raises(PixCellError, match=r"Process 7 on node07 \(since .*delete .owner.json"):
        join_dataset(Dataset(folder))
    owner.unlink()
    assert join_dataset(Dataset(folder)).pairs == PAIRS and not owner.exists()


def test_a_damaged_part_is_refused_by_name(tmp_path: Path, made) -> None:
    folder = Path(shutil.copytree(made["parts"], tmp_path / "data"))
    path = part_paths(folder)[1]
    lines = path.read_text().splitlines(keepends=True)
    for damage in ("", "".join(lines[1:]), lines[0] + '{"row": 1}\n', lines[0] + '{"row": {}}\n'):
        path.write_text(damage)
        with pytest.raises(PixCellError, match=r"parts/000002.jsonl is damaged. Delete it, and"):
            join_dataset(Dataset(folder))
        assert "torn" in check_dataset(Dataset(folder)).counts
    path.unlink()
    shard(folder, "0/1")
    join_dataset(Dataset(folder))
    is_whole(folder, PAIRS)


def test_an_open_table_follows_a_manifest_that_was_sorted(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shard(folder, "1/2")
    join_dataset(Dataset(folder))
    table = PairTable(Dataset(folder))
    shard(folder, "0/2")
    join_dataset(Dataset(folder))
    with pytest.raises(PixCellError, match="changed meanwhile"):
        table.row(0)
    assert table.refresh() == PAIRS and table.index.tolist() == list(range(PAIRS))
    assert table.row(3)["index"] == 3
