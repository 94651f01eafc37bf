"""Styles and layouts that several processes prepare: those of one process, whatever happens."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import parallel_engines
import pytest
from drawn_engine import drawn_recipe
from parallel_engines import ACTED, BlockEngine
from PIL import Image
from same_datasets import is_whole, prepared, rows_of
from twins import PAIRS, twin_of_two_slides

from napari_pixcell.datasets.parallel.chunks import Shard
from napari_pixcell.datasets.parallel.claims import Claims
from napari_pixcell.datasets.parallel.coordinator import make_with_workers
from napari_pixcell.datasets.parallel.joining import join_dataset
from napari_pixcell.datasets.parallel.preparation_queue import PreparationQueue
from napari_pixcell.datasets.parallel.shard_making import make_shard, make_shard_with_workers
from napari_pixcell.datasets.preparation.making import PreparationMaker
from napari_pixcell.datasets.preparation.parts import LISTING, PREPARING, STYLES, PreparationChunk
from napari_pixcell.datasets.recipe.making import make_dataset
from napari_pixcell.datasets.recipe.opening import open_for_making
from napari_pixcell.datasets.recipe.preparing import keeps_tissue
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.recipe.runner import Runner
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.engine.events import Event, Notice
from napari_pixcell.engine.request_values import EmbedRequest, Request
from napari_pixcell.errors import PixCellError


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXCELL_DATA_DIR", str(tmp_path / "user"))
    monkeypatch.setenv(ACTED, str(tmp_path / "acted"))


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of slides and layouts."""
    return tmp_path_factory.mktemp("sources")


@pytest.fixture(scope="module")
def expected(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[object, object]:
    """What one process prepares, and its rows."""
    folder, engine = tmp_path_factory.mktemp("alone") / "data", BlockEngine()
    request = DatasetRequest(str(folder), twin_of_two_slides(sources))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIXCELL_DATA_DIR", str(folder.parent / "user"))
        make_dataset(request, engine.run, lambda event: None, block=engine.at_once)
        return prepared(folder), rows_of(folder)


@pytest.fixture
def request_(sources: Path, tmp_path: Path) -> DatasetRequest:
    return DatasetRequest(str(tmp_path / "data"), twin_of_two_slides(sources))


def is_as(folder: Path, expected) -> None:
    assert (prepared(folder), rows_of(folder)) == expected
    is_whole(folder, PAIRS)


def test_a_worker_that_is_killed_while_it_prepares_changes_nothing(
    tmp_path: Path, request_, expected
) -> None:
    events: list[Event] = []
    start = parallel_engines.kills_itself_preparing
    make_with_workers(request_, start, [{}] * 2, events.append)
    assert (tmp_path / "acted").exists()
    (notice,) = (event.message for event in events if isinstance(event, Notice))
    assert notice.startswith("The preparation of style ")
    assert notice.endswith(
        " is retried: its worker was killed (signal 9), perhaps for lack of memory."
    )
    is_as(tmp_path / "data", expected)


COORDINATE = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[3:]
import parallel_engines, test_preparation
from twins import twin_of_two_slides
from napari_pixcell.datasets.parallel.chunks import Shard
from napari_pixcell.datasets.recipe.opening import open_for_making
from napari_pixcell.datasets.recipe.preparing import keeps_tissue
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.recipe.runner import Runner
if __name__ == "__main__":
    folder = Path(sys.argv[1])
    request = DatasetRequest(str(folder), twin_of_two_slides(Path(sys.argv[2])))
    start = parallel_engines.kills_coordinator_preparing
    test_preparation.make_shard_with_workers(
        request, Shard(0, 2), start, [{}] * 2, lambda event: None
    )
"""


def test_a_shard_that_is_killed_while_it_prepares_is_replaced_by_others(
    tmp_path: Path, sources: Path, request_, expected
) -> None:
    folder, script, here = tmp_path / "data", tmp_path / "shard.py", Path(__file__).parent
    script.write_text(COORDINATE)
    paths = folder, sources, here, here.parent / "support"
    command = [sys.executable, str(script), *map(str, paths)]
    killed = subprocess.run(command, capture_output=True, check=False)
    # Its output ends only once its workers, which have inherited it, have ended as well.
    assert killed.returncode == -9 and (tmp_path / "acted").exists(), killed.stderr
    made = set((folder / PREPARING).glob("*/styles-*.jsonl"))
    assert made and Dataset(folder).description.plan is None
    second = threading.Thread(
        target=make_shard,
        args=(request_, Shard(1, 2), BlockEngine(), lambda event: None),
        kwargs={"lease": 0},
    )
    second.start()
    make_shard_with_workers(
        request_, Shard(0, 2), parallel_engines.whole, [{}], lambda event: None, lease=0
    )
    second.join()
    join_dataset(Dataset(folder))
    is_as(folder, expected)


def test_what_was_prepared_before_a_cancel_is_not_prepared_again(
    tmp_path: Path, request_, expected
) -> None:
    engine, folder = BlockEngine(), tmp_path / "data"
    styles = lambda: list((folder / PREPARING).glob("*/styles-*.jsonl"))  # noqa: E731
    make_dataset(
        request_, engine.run, lambda event: None, lambda: len(styles()) == 3, engine.at_once
    )
    before = {path: path.stat().st_mtime_ns for path in styles()}
    assert len(before) == 3 and Dataset(folder).prepared("styles.jsonl") == 0
    seen: set[Path] = set()

    def emit(event: Event) -> None:
        seen.update(path for path in styles() if path.stat().st_mtime_ns == before.get(path))

    make_dataset(request_, engine.run, emit, block=engine.at_once)
    assert seen == set(before)
    is_as(folder, expected)


def test_a_slide_that_cannot_be_read_is_named_however_the_dataset_is_made(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    bad = {"from": "picture", "path": str(tmp_path / "bad.png"), "mpp": 0.5}
    recipe = drawn_recipe(styles=(*drawn_recipe().styles, bad))
    request, engine = DatasetRequest(str(tmp_path / "data"), recipe), BlockEngine()
    sentences = set()
    for make in (
        lambda: make_dataset(request, engine.run, lambda event: None),
        lambda: make_with_workers(request, parallel_engines.whole, [{}], lambda event: None),
        lambda: make_shard(request, Shard(0, 2), engine, lambda event: None),
    ):
        assert not (tmp_path / "data").exists()
        with pytest.raises(PixCellError, match=r"bad\.png") as refused:
            make()
        sentences.add(str(refused.value))
    assert len(sentences) == 1 and not engine.asked
    Image.fromarray(np.full((256, 256, 3), 200, np.uint8)).save(tmp_path / "bad.png")
    assert make_shard(request, Shard(0, 2), engine, lambda event: None) == {}


def test_a_chunk_has_one_claim_until_it_is_not_renewed(tmp_path: Path) -> None:
    ours, theirs = Claims(tmp_path, Shard(0, 2)), Claims(tmp_path, Shard(1, 2))
    assert ours.in_turn([0, 1, 2, 3]) == [0, 1, 2, 3] and theirs.in_turn([0, 1, 2, 3]) == [
        2,
        3,
        0,
        1,
    ]
    assert ours.take("a") and not theirs.take("a") and theirs.take("b")
    ours.release("a")
    assert theirs.take("a") and not ours.take("a") and not ours.take("a")
    impatient = Claims(tmp_path, Shard(0, 2), lease=0)
    assert not impatient.take("a")  # seen for the first time
    assert impatient.take("a")
    with Claims(tmp_path, Shard(0, 2)) as ended:
        assert ended.take("c")
    assert ours.take("c")


def test_a_style_that_cannot_be_embedded_is_retried_three_times(tmp_path: Path) -> None:
    class Blind(BlockEngine):
        tried = 0

        def run(self, request: Request, *more: object, **options: object) -> None:
            if isinstance(request, EmbedRequest):
                self.tried += 1
                raise PixCellError("The encoder is gone. Install it.")
            super().run(request, *more, **options)  # type: ignore[arg-type]

    Image.fromarray(np.full((256, 256, 3), 200, np.uint8)).save(tmp_path / "tile.png")
    style = {"from": "picture", "path": str(tmp_path / "tile.png"), "mpp": 0.5}
    request = DatasetRequest(str(tmp_path / "data"), drawn_recipe(styles=(style,), seeds=1))
    engine = Blind()
    with pytest.raises(PixCellError, match=r"^The encoder is gone. Install it.$"):
        make_shard(request, Shard(), engine, lambda event: None)
    assert engine.tried == 4
    assert make_shard(request, Shard(), BlockEngine(), lambda event: None) == {}
    join_dataset(Dataset(tmp_path / "data"))
    is_whole(tmp_path / "data", 3)


def test_a_machine_with_another_data_folder_leaves_styles_to_others_while_they_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, engine = drawn_recipe(), BlockEngine()
    dataset = open_for_making(DatasetRequest(str(tmp_path / "data"), recipe), lambda event: None)
    maker = PreparationMaker(dataset, recipe, Runner(engine.run, lambda: False).run, lambda: None)
    preparation = maker.preparation
    for chunk in preparation.chunks(LISTING):
        maker.make(chunk)
    assert keeps_tissue(dataset)
    monkeypatch.setenv("PIXCELL_DATA_DIR", str(tmp_path / "another"))
    assert not keeps_tissue(dataset)
    for lease, expected in ((60.0, None), (0.0, PreparationChunk(STYLES, 1, 2))):
        with Claims(preparation.folder, Shard(1, 2), lease) as claims:
            queue = PreparationQueue(preparation, lambda event: None, claims, styles=False)
            assert (queue.next(), queue.finished) == (expected, False)
