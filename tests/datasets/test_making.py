"""Datasets made from recipes: preparation, generation, checks, interruptions."""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn_engine import DIMENSION, DrawnEngine, drawn_recipe
from faults import count, failing, killed, power_cut
from PIL import Image

from napari_pixcell.cells import write_labels
from napari_pixcell.datasets import read_record
from napari_pixcell.datasets.parallel.joining import FAILED, read_failed
from napari_pixcell.datasets.recipe.making import make_dataset
from napari_pixcell.datasets.recipe.preparing import count_pairs, kept_checks, private_folder
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.report.writing import write_report
from napari_pixcell.datasets.store.checks import Checks
from napari_pixcell.datasets.store.completeness import check_dataset
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.embeddings import KeptEmbeddings
from napari_pixcell.datasets.store.parsing import pair_names
from napari_pixcell.engine.colour_match import ColourMatch
from napari_pixcell.engine.events import Event, Finished, Notice, Progress
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import EmbedRequest, GenerateRequest
from napari_pixcell.engine.styles.library import StyleLibrary
from napari_pixcell.engine.styles.style import Style, new_id
from napari_pixcell.engine.tissue_colours import TissueColours, mixed_colours
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import DEMO
from napari_pixcell.models.store import encoder_kind
from napari_pixcell.slides.samples import SAMPLE_SLIDE


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXCELL_DATA_DIR", str(tmp_path / "user"))


def make(
    folder: Path, recipe: DatasetRecipe | None = None, most: int | None = None, **more: object
) -> list[Event]:
    events: list[Event] = []
    engine = more.pop("engine", None) or DrawnEngine()
    request = DatasetRequest(str(folder), recipe, most)
    make_dataset(
        DatasetRequest.from_dict(json.loads(json.dumps(request.to_dict()))),
        engine.run,  # type: ignore[attr-defined]
        events.append,
        **more,  # type: ignore[arg-type]
    )
    return events


def test_each_pair_is_made_once(tmp_path: Path) -> None:
    engine = DrawnEngine()
    events = make(tmp_path / "data", drawn_recipe(), engine=engine)
    assert isinstance(events[-1], Finished) and not events[-1].cancelled
    assert [e for e in events if isinstance(e, Progress)][-1].message == "12 of 12 pairs"
    dataset = Dataset(tmp_path / "data")
    rows = list(dataset.rows())
    assert [row["index"] for row in rows] == list(range(12))
    assert len({row["seed"] for row in rows}) == 12
    made = [request for request in engine.asked if isinstance(request, GenerateRequest)]
    layouts = [dataset.layout(row) for row in dataset.layout_rows()]
    styles = [dataset.style(row) for row in dataset.style_rows()]
    for row, request in zip(rows, made, strict=True):
        assert np.array_equal(request.layout.unpack(), layouts[row["layout"]].labels)
        assert np.array_equal(
            request.embedding.unpack().ravel(), styles[row["style"]].embedding.ravel()
        )
        assert np.array_equal(dataset.mask(row), layouts[row["layout"]].labels)


def test_a_dataset_made_in_parts_equals_one_made_at_once(tmp_path: Path) -> None:
    make(tmp_path / "a", drawn_recipe(), most=5)
    assert len(list(Dataset(tmp_path / "a").rows())) == 5
    make(tmp_path / "a", most=4)
    make(tmp_path / "a")
    make(tmp_path / "b", drawn_recipe())
    a, b = ([row["pixels"] for row in Dataset(tmp_path / n).rows()] for n in "ab")
    assert a == b and len(a) == 12


def test_the_best_of_several_candidates_is_kept(tmp_path: Path) -> None:
    engine, folder = DrawnEngine(), tmp_path / "data"
    seeds = range(1234, 1234 + 6 * 3)
    engine.forgets = {seed for at, seed in enumerate(seeds) if at % 3 != at // 3 % 3}
    recipe = drawn_recipe(keep="best of 3", seeds=1)
    made = make(folder, recipe, engine=engine, most=4)
    assert [e.message for e in made if isinstance(e, Progress)][-1] == "4 of 6 pairs"
    make(folder, engine=engine)
    dataset = Dataset(folder)
    rows = list(dataset.rows())
    assert [row["index"] for row in rows] == list(range(6))
    assert [row["kept"] for row in rows] == [0, 1, 2, 0, 1, 2]  # with all cells of the layout
    for index, row in enumerate(rows):
        assert row["candidates"] == 3 and row["scores"]["placed"] == 1
        assert row["seed"] == 1234 + 3 * index + row["kept"]
        record = read_record(folder / row["image"])
        assert (record.request.seed, record.request.count) == (row["seed"], 1)
        assert record.batch == (3, row["kept"])
        shown = dataset.image(row)[0, :4, 0].tobytes()
        assert np.frombuffer(shown, np.uint32)[0] == row["seed"]
    asked = [request for request in engine.asked if isinstance(request, GenerateRequest)]
    assert [request.count for request in asked] == [3] * 6  # each pair in one batch
    assert check_dataset(dataset).whole
    page = write_report(dataset, tmp_path / "report.html").read_text("utf-8")
    assert (
        "3, of which the best is kept" in page and "mask&#39;s nuclei that the image lacks" in page
    )

    manifest = folder / "manifest.jsonl"
    manifest.write_text("".join(manifest.read_text().splitlines(keepends=True)[:-1]))
    engine.asked.clear()
    make(folder, engine=engine)  # the last pair lacks only its row
    assert list(Dataset(folder).rows()) == rows
    assert not any(isinstance(one, GenerateRequest) for one in engine.asked)


def test_a_cancel_before_the_checks_leaves_no_half_pair(tmp_path: Path) -> None:
    engine, folder = DrawnEngine(), tmp_path / "data"
    recipe = drawn_recipe(keep="best of 2", seeds=1)

    def cancelled() -> bool:
        return bool(engine.asked) and isinstance(engine.asked[-1], GenerateRequest)

    assert make(folder, recipe, engine=engine, cancelled=cancelled)[-1].cancelled
    assert not list(Dataset(folder).rows()) and not list(folder.rglob("*.png"))
    make(folder)
    make(tmp_path / "whole", recipe)
    is_whole(folder, tmp_path / "whole", 6)


def test_a_dataset_of_an_earlier_version_is_resumed_with_its_own_checks(tmp_path: Path) -> None:
    folder, engine = tmp_path / "data", DrawnEngine()
    make(folder, drawn_recipe(), most=1)
    about, manifest = folder / "dataset.json", folder / "manifest.jsonl"
    value, row = json.loads(about.read_text()), json.loads(manifest.read_text())
    del value["checks"]["least_placed"], row["nuclei"], row["scores"]["placed"]
    about.write_text(json.dumps(value))
    manifest.write_text(json.dumps(row) + "\n")
    engine.forgets = {1235}
    make(folder, most=1, engine=engine)
    dataset = Dataset(folder)
    assert kept_checks(dataset) == replace(Checks(), least_placed=None)
    first, second = dataset.rows()
    assert first["nuclei"] is None and "placed" not in first["scores"]
    assert second["nuclei"]["missing"] == [1] and second["scores"]["placed"] < 1
    assert check_dataset(dataset).counts == {"planned": 10}


def test_another_recipe_is_refused(tmp_path: Path) -> None:
    make(tmp_path / "data", drawn_recipe(), most=1)
    for other in (drawn_recipe(seeds=3), replace(drawn_recipe(), name="Other")):
        with pytest.raises(PixCellError, match=r"made from another recipe. Choose a new folder"):
            make(tmp_path / "data", other)
    make(tmp_path / "data", drawn_recipe(), most=2)
    assert len(list(Dataset(tmp_path / "data").rows())) == 3


def test_a_cancel_keeps_complete_pairs(tmp_path: Path) -> None:
    asked: list[int] = []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > 12

    events = make(tmp_path / "data", drawn_recipe(), cancelled=cancelled)
    assert isinstance(events[-1], Finished) and events[-1].cancelled
    dataset = Dataset(tmp_path / "data")
    assert dataset.description.plan is None or len(list(dataset.rows())) < 12
    make(tmp_path / "data")
    assert len(list(Dataset(tmp_path / "data").rows())) == 12


def test_one_failure_does_not_stop_the_others(tmp_path: Path) -> None:
    engine = DrawnEngine()
    engine.refuses = {1234 + 3}
    events = make(tmp_path / "data", drawn_recipe(), engine=engine)
    notices = [event.message for event in events if isinstance(event, Notice)]
    assert notices == [
        "Pair 3 failed: This seed is refused; choose another.",
        "1 pair failed, see failed.jsonl. Resume the dataset to retry.",
    ]
    assert len(list(Dataset(tmp_path / "data").rows())) == 11
    assert [*read_failed(tmp_path / "data")] == [3]
    make(tmp_path / "data")
    assert not (tmp_path / "data" / FAILED).exists()
    rows = list(Dataset(tmp_path / "data").rows())
    assert sorted(row["index"] for row in rows) == list(range(12))


def test_repeated_failures_stop_the_work(tmp_path: Path) -> None:
    engine = DrawnEngine()
    engine.refuses = set(range(1234, 1300))
    with pytest.raises(PixCellError, match="This seed is refused"):
        make(tmp_path / "data", drawn_recipe(), engine=engine)
    # The fourth was asked for while the third was counted.
    assert sum(isinstance(one, GenerateRequest) for one in engine.asked) == 4


def is_whole(folder: Path, whole: Path, pairs: int) -> None:
    """See that a dataset has the files of its rows, no others, and the pixels of another one."""
    rows = list(Dataset(folder).rows())
    assert sorted(row["index"] for row in rows) == list(range(pairs))
    named = {name: sha for row in rows for name, sha in row["files"].items()}
    there = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for kind in ("images", "masks", "apart")
        for path in (folder / kind).rglob("*.*")
    }
    assert there == named
    pixels = {row["index"]: row["pixels"] for row in Dataset(whole).rows()}
    assert {row["index"]: row["pixels"] for row in rows} == pixels


def test_killed_again_and_again_at_chosen_writes(tmp_path: Path) -> None:
    folder, recipe = tmp_path / "data", drawn_recipe(styles=({"from": "nothing"},) * 2, seeds=2)
    calls = count(lambda: make(tmp_path / "whole", recipe))
    grown = set()
    for number in (*range(9), *range(9, calls // 2, 7)):
        begun = (folder / "dataset.json").exists()
        if not begun and folder.exists():
            assert not [path for path in folder.iterdir() if not path.name.startswith(".")]
        killed(number, lambda begun=begun: make(folder, None if begun else recipe))
        grown.add(len(list(folder.rglob("*.png"))))
    assert len(grown) > 5  # kills interrupted the work in many states
    make(folder)
    is_whole(folder, tmp_path / "whole", 12)
    assert KeptEmbeddings(folder, 12).known.all()


def test_a_failing_disk_loses_no_pair(tmp_path: Path) -> None:
    recipe = drawn_recipe(seeds=1)
    calls = count(lambda: make(tmp_path / "whole", recipe))
    errors = itertools.cycle((errno.ENOSPC, errno.EIO, errno.EROFS))
    for number in (0, *range(7, calls, calls // 3)):
        folder = tmp_path / f"data {number}"
        with failing(number, next(errors)):
            try:
                make(folder, recipe)
            except PixCellError as error:
                assert str(error).count(".") <= 3
        make(folder, None if (folder / "dataset.json").exists() else recipe)
        is_whole(folder, tmp_path / "whole", 6)


def test_a_power_cut_loses_no_pair_that_was_counted(tmp_path: Path) -> None:
    recipe = drawn_recipe(seeds=1)
    calls = count(lambda: make(tmp_path / "whole", recipe))
    for number in range(9, calls, calls // 3):
        root, kept = tmp_path / f"disk {number}", tmp_path / f"after {number}"
        root.mkdir()
        assert power_cut(number, lambda root=root: make(root / "data", recipe), root, kept)
        folder = kept / "data"
        if (folder / "dataset.json").exists():
            for row in Dataset(folder).rows():  # each has its files
                for name, sha in row["files"].items():
                    assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == sha
        make(folder, None if (folder / "dataset.json").exists() else recipe)
        is_whole(folder, tmp_path / "whole", 6)


def test_each_tile_of_a_slide_gets_a_twin(tmp_path: Path) -> None:
    recipe = DatasetRecipe(
        "Twins",
        styles=({"from": "slide", "slide": str(SAMPLE_SLIDE), "most": 3},),
        layouts=({"from": "style"},),
        pairing="matched",
    )
    expected = count_pairs(recipe)
    engine = DrawnEngine()
    make(tmp_path / "data", recipe, engine=engine)
    dataset = Dataset(tmp_path / "data")
    rows = list(dataset.rows())
    assert len(rows) == expected and 1 <= expected <= 3
    assert all(row["style"] == row["layout"] for row in rows)
    assert sum(isinstance(one, EmbedRequest) for one in engine.asked) >= expected
    styles = [dataset.style(row) for row in dataset.style_rows()]
    assert {style.group for style in styles} == {"slide-1"} and styles[0].look
    assert [row["group"] for row in dataset.layout_rows()] == ["slide-1"] * len(rows)
    assert SAMPLE_SLIDE.stem not in "".join(
        path.read_text("latin-1") for path in dataset.folder.rglob("*") if path.is_file()
    )


def test_layouts_are_matched_to_tissue_of_similar_density(tmp_path: Path) -> None:
    tiles = tmp_path / "tiles"
    tiles.mkdir()
    rng = np.random.default_rng(0)
    masks = {}
    rows, columns = np.mgrid[:256, :256]
    for name, step in (("dense", 20), ("sparse", 80)):
        mask = np.zeros((256, 256), np.int32)
        for number, (y, x) in enumerate(np.argwhere(np.ones((256 // step,) * 2)) * step + 12, 1):
            mask[(rows - y) ** 2 + (columns - x) ** 2 <= 36] = number
        image = np.where(mask[..., None] > 0, (70, 40, 130), (235, 180, 210))
        noisy = np.clip(image + rng.normal(0, 5, image.shape), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(tiles / f"{name}.png")
        masks[name] = mask
        write_labels(tmp_path / f"{name}.tif", mask, 0.5)
    recipe = DatasetRecipe(
        "Matched",
        styles=({"from": "folder", "path": str(tiles), "mpp": 0.5},),
        layouts=tuple(
            {"from": "file", "path": str(tmp_path / f"{name}.tif")} for name in ("sparse", "dense")
        ),
        pairing="matched",
    )
    make(tmp_path / "data", recipe)
    # The folder is read in the order of its names: dense is style 0.
    assert [row["style"] for row in Dataset(tmp_path / "data").rows()] == [1, 0]


def test_blends_and_variations_share_the_groups_of_their_sources(tmp_path: Path) -> None:
    first, second = drawn_recipe().styles
    recipe = drawn_recipe(
        styles=({"from": "blend", "styles": [first, second], "shares": [3, 1]},),
        layouts=(
            {
                "from": "vary",
                "layout": {"from": "invent", "recipe": {"density": 900.0}},
                "count": 2,
                "jitter_um": 2,
            },
        ),
        seeds=1,
    )
    make(tmp_path / "data", recipe)
    dataset = Dataset(tmp_path / "data")
    (style,) = (dataset.style(row) for row in dataset.style_rows())
    assert style.name == "Style 0 + Style 1" and style.group == "slide-1+slide-2"
    one, two = (dataset.layout(row) for row in dataset.layout_rows())
    assert one.group == two.group and not np.array_equal(one.labels, two.labels)


def saved_style(name: str, encoder: str | None = None) -> Style:
    """Save a style, of the demo family's encoder by default."""
    embedding = np.full((1, 1, DIMENSION), 0.5, np.float32)
    encoder = encoder or encoder_kind(DEMO)
    assert encoder is not None
    return StyleLibrary().save(Style(name, embedding, encoder, "demo"))


@pytest.mark.parametrize("by", ["name", "id"])
def test_a_recipe_can_name_a_saved_style(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    monkeypatch.setenv("PIXCELL_CONFIG_DIR", str(tmp_path / "config"))
    style = saved_style("Stroma A")
    named = {"from": "library", "name": getattr(style, by)}
    blend = {"from": "blend", "styles": [named, drawn_recipe().styles[0]]}
    recipe = drawn_recipe(styles=(named, blend), seeds=1)
    assert count_pairs(recipe) == 6
    make(tmp_path / "data", recipe, most=2)
    make(tmp_path / "data", recipe, most=1)  # the same recipe resumes it
    StyleLibrary().remove(style.id)
    make(tmp_path / "data")  # the dataset no longer needs the library
    dataset = Dataset(tmp_path / "data")
    first, second = (dataset.style(row) for row in dataset.style_rows())
    assert len(list(dataset.rows())) == 6
    assert first.name == "Stroma A" and second.name == "Stroma A + Style 0"
    assert first.embedding is not None and (first.embedding == 0.5).all()


def test_pairs_are_matched_to_the_tissue_of_their_style(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIXCELL_CONFIG_DIR", str(tmp_path / "config"))
    saved_style("Older")
    colours = TissueColours((60, 20, -8), (15, 6, 4))
    StyleLibrary().save(
        replace(StyleLibrary().find("Older"), name="New", id=new_id(), colours=colours)
    )
    region = {"from": "region", "slide": str(SAMPLE_SLIDE), "region": [400, 400, 257, 257]}
    older, new = ({"from": "library", "name": name} for name in ("Older", "New"))
    blend = {"from": "blend", "styles": [region, new], "shares": [3, 1]}
    recipe = drawn_recipe(styles=(region, new, blend, older), seeds=1, colour_match="gentle")
    engine = DrawnEngine()
    events = make(tmp_path / "data", recipe, engine=engine)
    words = "Colours are not matched to “Older”, whose tissue is unknown. Save such styles again"
    assert any(isinstance(e, Notice) and e.message.startswith(words) for e in events)
    dataset = Dataset(tmp_path / "data")
    known = {row["number"]: row["colours"] for row in dataset.style_rows()}
    assert known[1] == colours and known[3] is None and known[0].share > 0.1
    assert known[2] == mixed_colours([(known[0], 3), (colours, 1)])
    made = [request for request in engine.asked if isinstance(request, GenerateRequest)]
    for row, request in zip(dataset.rows(), made, strict=True):
        tissue = known[row["style"]]
        wanted = None if tissue is None else ColourMatch("gentle", tissue)
        assert request.colour_match == wanted
    unstated = drawn_recipe(styles=(new,))
    events = make(tmp_path / "as before", unstated, most=1, engine=engine)
    description = json.loads((tmp_path / "as before" / "dataset.json").read_text())
    assert "colour_match" not in description["settings"]  # as earlier versions wrote it
    (*_, request) = (one for one in engine.asked if isinstance(one, GenerateRequest))
    assert request.colour_match is None
    assert not any(isinstance(event, Notice) for event in events)
    with pytest.raises(PixCellError, match="changes the colours of the tissue"):
        count_pairs(replace(recipe, family="demo-ki67"))


def test_damaged_colours_of_a_style_are_skipped(tmp_path: Path) -> None:
    make(tmp_path / "data", drawn_recipe(), most=1)
    path = tmp_path / "data" / "styles.jsonl"
    first, *others = path.read_text().splitlines()
    bad = json.loads(first) | {"colours": {"mean": [1, 2], "std": [1, 2, 3], "share": 1}}
    path.write_text("\n".join([json.dumps(bad), *others, ""]))
    dataset = Dataset(tmp_path / "data")
    assert len(list(dataset.style_rows())) == len(others)
    assert dataset.damage.startswith("Skipped 1 row of styles.jsonl")


def test_saved_styles_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXCELL_CONFIG_DIR", str(tmp_path / "config"))
    saved_style("Stroma A", encoder="another encoder")
    for name, sentence in (("Stroma B", "no style “Stroma B”"), ("Stroma A", "“Stroma A” was")):
        recipe = drawn_recipe(styles=({"from": "library", "name": name},))
        for follow in (lambda r: make(tmp_path / "data", r), count_pairs):
            with pytest.raises(PixCellError, match=sentence):
                follow(recipe)
    assert not (tmp_path / "data").exists()


def test_a_prepared_dataset_can_be_resumed_without_its_recipe(tmp_path: Path) -> None:
    make(tmp_path / "data", drawn_recipe(), most=1)
    shutil.rmtree(private_folder(Dataset(tmp_path / "data").description))
    make(tmp_path / "data")  # the styles are with the dataset
    assert len(list(Dataset(tmp_path / "data").rows())) == 12

    begun = tmp_path / "begun"
    make(begun, drawn_recipe(), cancelled=lambda: True)
    (private_folder(Dataset(begun).description) / "recipe.json").unlink()
    with pytest.raises(PixCellError, match=r"not on this machine. Resume it with the recipe"):
        make(begun)
    make(begun, drawn_recipe())
    assert len(list(Dataset(begun).rows())) == 12


def test_a_full_disk_keeps_complete_pairs(small_disk: Path) -> None:
    folder = small_disk / "data"
    recipe = drawn_recipe(seeds=6)
    for size in (48, 128):
        subprocess.run(["mount", "-o", f"remount,size={size}k", str(small_disk)], check=True)
        with pytest.raises(PixCellError, match=r"The disk of .* is full. Free some space"):
            make(folder, recipe)
    with pytest.raises(PixCellError, match=r"The disk of .* is full. Free some space"):
        make(folder, recipe)
    rows = list(Dataset(folder).rows())
    assert rows
    for row in rows:
        for name, sha256 in row["files"].items():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == sha256
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    make(folder)
    assert sorted(row["index"] for row in Dataset(folder).rows()) == list(range(36))


def test_a_folder_that_is_not_writable(tmp_path: Path) -> None:
    make(tmp_path / "data", drawn_recipe(), most=1)
    for name in ("images", "apart"):
        shutil.rmtree(tmp_path / "data" / name, ignore_errors=True)
        (tmp_path / "data" / name).write_text("a file where a folder should be")
    with pytest.raises(PixCellError, match=r"data cannot be read or written .*\. Fix this and"):
        make(tmp_path / "data")


def test_a_slide_that_moved_matters_only_until_it_is_prepared(tmp_path: Path) -> None:
    slide = tmp_path / "slide.tif"
    shutil.copy(SAMPLE_SLIDE, slide)
    recipe = DatasetRecipe(
        "Moved",
        styles=({"from": "region", "slide": str(slide), "region": [400, 400, 512, 256]},),
        layouts=({"from": "invent", "recipe": {"density": 1000.0}, "count": 2},),
    )
    begun = tmp_path / "begun"
    make(begun, recipe, cancelled=lambda: True)
    make(tmp_path / "prepared", recipe, most=1)
    slide.rename(tmp_path / "elsewhere.tif")
    make(tmp_path / "prepared")  # what it needs is with it by now
    assert len(list(Dataset(tmp_path / "prepared").rows())) == 4
    with pytest.raises(PixCellError, match=r"“slide.tif” does not exist. Check"):
        make(begun)
    (style,) = recipe.styles
    found = replace(recipe, styles=({**style, "slide": str(tmp_path / "elsewhere.tif")},))
    make(begun, found)
    assert len(list(Dataset(begun).rows())) == 4


MEASURE = """
import resource, sys
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.table import PairTable
from napari_pixcell.datasets.store.pair_files import PairFiles
dataset = Dataset(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
files, table = PairFiles(dataset), PairTable(dataset)
assert files.done.sum() == len(table)
print(len(table), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_for_20_000_pairs_is_that_of_their_columns(tmp_path: Path) -> None:
    make(tmp_path / "data", drawn_recipe(), most=1)
    dataset = Dataset(tmp_path / "data")
    dataset.describe(plan=dataset.description.plan | {"seeds": 4_000})
    (whole,) = dataset.rows()
    with (dataset.folder / "manifest.jsonl").open("w") as file:
        for index in range(20_000):
            image, mask = pair_names(index, "png", bool(whole["flags"]))
            named = {"index": index, "image": image, "mask": mask, "files": {image: "", mask: ""}}
            file.write(json.dumps(whole | named) + "\n")
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(dataset.folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    pairs, kilobytes = map(int, done.stdout.split())
    assert pairs == 20_000 and kilobytes < 8_000  # as objects, rows would take 20 MB and more


TINY = PackedArray.pack(np.ones((20, 20), np.uint8)).to_dict()
SAMPLE_CELLS = Path(__file__).parents[2] / "sample_data" / "cells"
SMALL = {"from": "picture", "path": "small.png", "mpp": 0.5}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"styles": ()}, "The dataset has no style. Add"),
        ({"styles": ({"from": "picture", "path": "none.png"},)}, "“none.png” does not exist"),
        ({"styles": ({"from": "folder", "path": "none"},)}, "The folder “none” does not exist"),
        ({"styles": ({"from": "folder", "path": "."},)}, "There are no pictures of tissue"),
        ({"styles": (SMALL,)}, "of “small.png” is 20 × 20 px, smaller than one tile"),
        ({"styles": ({"from": "library", "name": "A"},)}, "There is no style “A”"),
        ({"styles": ({"from": "blend", "styles": [{"from": "nothing"}]},)}, "A blend has 1 styles"),
        (
            {"styles": ({"from": "region", "slide": "s.tif", "region": [1, 2]},)},
            "Use four numbers: x, y, width",
        ),
        ({"layouts": ({"from": "file", "path": "none.tif"},)}, "“none.tif” does not exist"),
        ({"layouts": ({"from": "style"},)}, "has no cells in a whole tile"),
        (
            {"layouts": ({"from": "file", "path": "o.geojson"},)},
            "outlines without the size of their image",
        ),
        ({"layouts": ({"from": "labels", "labels": TINY},)}, "Layout 1 is 20 × 20 px, smaller"),
        ({"styles": ({"from": "slide", "slide": "small.png"},)}, "pixel size. Add “mpp” to it"),
        (
            {"layouts": ({"from": "invent", "recipe": {}, "count": 0},)},
            "“count” of layout 1 is 0. Use",
        ),
        (
            {"layouts": ({"from": "vary", "layout": {"from": "invent", "recipe": {}}},)},
            "changes nothing. Add",
        ),
        ({"pairing": "matched"}, "matched to tissue, but no style has tissue"),
        ({"family": "pixcell-1024"}, "does not support layouts. Choose another model"),
    ],
)
def test_recipes_with_errors_are_refused(
    tmp_path: Path, changes: dict[str, object], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "work").mkdir()
    shutil.copy(SAMPLE_CELLS / "qupath.geojson", "o.geojson")
    if "small.png" in str(changes):
        Image.new("RGB", (20, 20)).save("small.png")
    with pytest.raises(PixCellError, match=sentence):
        make(tmp_path / "data", drawn_recipe(**changes))
