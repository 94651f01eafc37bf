"""Blocks of pairs that are generated together: the same pixels however the work is divided."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_engine import DrawnEngine, drawn_recipe
from faults import count, killed
from running import shallow_engine

from napari_pixcell.datasets.recipe.blocks import blocks_of
from napari_pixcell.datasets.recipe.making import make_dataset
from napari_pixcell.datasets.recipe.overlapping import overlapped
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.plan import Plan
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Embedding, Event, Notice, Progress
from napari_pixcell.engine.request_values import (
    BatchRequest,
    EmbedRequest,
    GenerateRequest,
    Request,
)
from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.samples import SAMPLE_SLIDE


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXCELL_DATA_DIR", str(tmp_path / "user"))


@pytest.fixture(scope="module")
def engine() -> Engine:
    return shallow_engine()


def make(
    folder: Path,
    engine: Engine | DrawnEngine,
    recipe: DatasetRecipe | None = None,
    *,
    block: int = 4,
    most: int | None = None,
) -> list[Event]:
    events: list[Event] = []
    request = DatasetRequest(str(folder), recipe, most)
    make_dataset(request, engine.run, events.append, block=lambda family: block)
    return events


def pixels(folder: Path) -> dict[int, str]:
    """Return the hash of the pixels of each pair."""
    return {row["index"]: row["pixels"] for row in Dataset(folder).rows()}


def quick_recipe(**changes: object) -> DatasetRecipe:
    """Return a recipe of six pairs of two styles and three layouts."""
    return drawn_recipe(**{"steps": 1, "guidance": 2.0, "seeds": 1} | changes)


def test_blocks_begin_at_multiples_of_their_size() -> None:
    plan = Plan(styles=5, layouts=2)
    found = list(blocks_of(plan, [1, 2, 8, 9], 4))
    assert [[pair.index for pair in block.pairs] for block in found] == [[0, 1, 2, 3], [8, 9]]
    assert [block.wanted for block in found] == [{1, 2}, {8, 9}]
    assert list(blocks_of(plan, [], 4)) == []
    assert [len(block.pairs) for block in blocks_of(plan, range(10), 1)] == [1] * 10


def test_the_pixels_are_the_same_however_often_the_work_is_interrupted(
    tmp_path: Path, engine: Engine
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    recipe = quick_recipe(pairs=4, pairing="random")
    make(whole, engine, recipe, block=2)
    make(parts, engine, recipe, block=2, most=1)
    make(parts, engine, most=2)
    assert sorted(pixels(parts)) == [0, 1, 2]
    manifest = parts / "manifest.jsonl"  # which loses a row in the middle of a block
    rows = manifest.read_text().splitlines(keepends=True)
    manifest.write_text("".join(rows[:1] + rows[2:]))
    for lost in json.loads(rows[1])["files"]:
        (parts / lost).unlink()
    make(parts, engine)
    assert pixels(parts) == pixels(whole) and len(pixels(whole)) == 4
    # Scores and flags are the same as well. The files hold the time of their record.
    one, other = (
        {row["index"]: row | {"files": None} for row in Dataset(folder).rows()}
        for folder in (parts, whole)
    )
    assert one == other


def test_a_block_differs_from_single_pairs_by_rounding_alone(
    tmp_path: Path, engine: Engine
) -> None:
    together, alone = tmp_path / "together", tmp_path / "alone"
    make(together, engine, quick_recipe(pairs=3, pairing="random"))
    make(alone, engine, quick_recipe(pairs=3, pairing="random"), block=1)
    assert '"block"' not in (alone / "dataset.json").read_text()
    assert Dataset(together).description.block == 4
    rows = zip(Dataset(together).rows(), Dataset(alone).rows(), strict=True)
    for one, other in rows:
        images = [Dataset(f).image(row).astype(int) for f, row in ((together, one), (alone, other))]
        assert np.abs(images[0] - images[1]).max() <= 1
        assert one["seed"] == other["seed"] and one["layout"] == other["layout"]


def test_candidates_and_repairs_of_a_block(tmp_path: Path, engine: Engine) -> None:
    recipe = quick_recipe(keep="best of 2", repair={"rounds": 1}, pairs=2, pairing="random")
    recipe = DatasetRecipe.from_dict(recipe.to_dict())
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    events = make(whole, engine, recipe, block=2)
    assert any("nuclei placed" in event.message for event in events if isinstance(event, Notice))
    make(parts, engine, recipe, block=2, most=1)
    make(parts, engine)  # the block is that of the dataset
    assert pixels(parts) == pixels(whole) and len(pixels(whole)) == 2
    assert all(row["candidates"] == 2 for row in Dataset(whole).rows())


def test_a_failed_pair_costs_its_block_nothing(tmp_path: Path) -> None:
    whole, folder, engine = tmp_path / "whole", tmp_path / "data", DrawnEngine()
    make(whole, DrawnEngine(), quick_recipe())
    engine.refuses = {1234 + 1}
    events = make(folder, engine, quick_recipe())
    notices = [event.message for event in events if isinstance(event, Notice)]
    assert notices[0] == "Pair 1 failed: This seed is refused; choose another."
    assert sorted(pixels(folder)) == [0, 2, 3, 4, 5]
    asked = [one for one in engine.asked if isinstance(one, BatchRequest)]
    assert [len(one.requests) for one in asked] == [4, 2] and asked[0].at_once == 4
    make(folder, DrawnEngine())
    assert pixels(folder) == pixels(whole)


class DamagedEmbedding(DrawnEngine):
    """Embeds the image of one seed as values that are not numbers."""

    def run(
        self, request: Request, emit: Callable[[Event], None], *more: Any, **named: Any
    ) -> None:
        def changed(event: Event) -> None:
            if isinstance(request, EmbedRequest) and isinstance(event, Embedding):
                tiles = request.pixels.unpack()[::256, :4, 0]  # each begins with its seed
                seeds = np.ascontiguousarray(tiles).view(np.uint32).ravel()
                values = event.values.reshape(len(seeds), -1)
                values[seeds == 1234 + 1] = np.nan
                event = replace(event, values=values.reshape(event.values.shape))
            emit(event)

        super().run(request, changed, *more, **named)


def test_an_image_that_cannot_be_compared_costs_its_block_nothing(tmp_path: Path) -> None:
    slide = {"from": "slide", "slide": str(SAMPLE_SLIDE), "most": 1}
    recipe = replace(quick_recipe(), styles=(slide,), seeds=1)
    events = make(tmp_path / "data", DamagedEmbedding(), recipe)
    notices = [event.message for event in events if isinstance(event, Notice)]
    assert any(one.startswith("Pair 1 failed: This style holds values that") for one in notices)
    rows = {row["index"]: row for row in Dataset(tmp_path / "data").rows()}
    assert sorted(rows) == [i for i in range(len(Dataset(tmp_path / "data").plan)) if i != 1]
    assert all(row["scores"]["copy_pixels"] is not None for row in rows.values())


def test_a_lost_style_fails_its_pairs_and_keeps_the_places_of_the_others(tmp_path: Path) -> None:
    folder, engine = tmp_path / "data", DrawnEngine()
    make(folder, engine, quick_recipe(), most=1)
    styles = [row["file"] for row in Dataset(folder).style_rows()]
    (folder / styles[1]).unlink()
    engine.asked.clear()
    make(folder, engine)
    lost = {pair.index for pair in Dataset(folder).plan if pair.style == 1}
    assert lost and sorted(pixels(folder)) == sorted(set(range(6)) - lost)
    asked = [one for one in engine.asked if isinstance(one, BatchRequest)]
    assert [len(one.requests) for one in asked] == [4, 2]
    places = [one.seed for one in asked[0].requests]
    assert [places[i] == 1234 + i for i in range(4)] == [i not in lost for i in range(4)]


def test_kills_within_blocks_lose_and_double_nothing(tmp_path: Path) -> None:
    folder, grown = tmp_path / "data", set()
    calls = count(lambda: make(tmp_path / "whole", DrawnEngine(), quick_recipe()))
    for number in (calls // 2, calls // 4, calls // 4):
        begun = (folder / "dataset.json").exists()
        recipe = None if begun else quick_recipe()
        killed(number, lambda recipe=recipe: make(folder, DrawnEngine(), recipe))
        grown.add(len(list(folder.rglob("*.png"))))
    assert len(grown) > 1
    make(folder, DrawnEngine())
    assert pixels(folder) == pixels(tmp_path / "whole")
    rows = list(Dataset(folder).rows())
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*.png")}
    assert files == {row["image"] for row in rows} and len(rows) == 6


def test_a_block_is_announced_as_a_whole(tmp_path: Path) -> None:
    events = make(tmp_path / "data", DrawnEngine(), quick_recipe(), block=4)
    words = [event.message for event in events if isinstance(event, Progress)]
    assert [word for word in words if word.startswith("Pair")] == [
        "Pairs 1 to 4 of 6",
        "Pairs 5 to 6 of 6",
    ]


def test_an_impossible_block_is_refused(tmp_path: Path) -> None:
    make(tmp_path / "data", DrawnEngine(), quick_recipe(), most=1)
    about = tmp_path / "data" / "dataset.json"
    for block in (0, 65):
        about.write_text(json.dumps(json.loads(about.read_text()) | {"block": block}))
        with pytest.raises(PixCellError, match=r"blocks of \d+ pairs. Restore"):
            Dataset(tmp_path / "data")


def test_a_dataset_without_a_block_is_resumed_pair_by_pair(tmp_path: Path) -> None:
    engine = DrawnEngine()
    make(tmp_path / "data", engine, quick_recipe(), block=1, most=2)
    make(tmp_path / "data", engine, block=8)
    kinds = {type(one) for one in engine.asked}
    assert GenerateRequest in kinds and BatchRequest not in kinds
    assert len(pixels(tmp_path / "data")) == 6


# -- overlapping ---------------------------------------------------------------------------


def test_an_item_is_finished_while_the_next_is_begun() -> None:
    begun, order = threading.Event(), []

    def items() -> Iterator[int]:
        for item in range(3):
            order.append(item)
            if item == 1:
                begun.set()
            yield item

    def finish(item: int) -> int:
        assert begun.wait(60) or item > 0  # it would wait in vain in a series
        return 10 * item

    assert list(overlapped(items(), finish)) == [0, 10, 20]
    assert order == [0, 1, 2]


def test_an_error_in_the_thread_ends_the_work() -> None:
    taken, finished = [], []

    def finish(item: int) -> int:
        if item == 1:
            raise PixCellError("The disk is full.")
        finished.append(item)
        return item

    def items() -> Iterator[int]:
        for item in range(9):
            taken.append(item)
            yield item

    with pytest.raises(PixCellError, match="disk is full"):
        list(overlapped(items(), finish))
    assert taken == [0, 1, 2] and finished == [0]


def test_what_is_in_the_thread_is_finished_after_a_cancel() -> None:
    finished = []

    def items() -> Iterator[int]:
        yield 0
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(overlapped(items(), finished.append))
    assert finished == [0]
