"""The report compares the pictures of a dataset with the real tiles of its styles."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawn_dataset import make_dataset
from numpy.typing import NDArray

from napari_pixcell.datasets.quality.copies import RealTiles
from napari_pixcell.datasets.recipe.preparing import private_folder
from napari_pixcell.datasets.report.charts import scatter
from napari_pixcell.datasets.report.tissue import TissueComparison, compare_with_tissue
from napari_pixcell.datasets.report.writing import render, write_report
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.decisions import decide
from napari_pixcell.datasets.store.embeddings import EMBEDDINGS, keep_embedding
from napari_pixcell.datasets.store.rows import append_rows, read_rows
from napari_pixcell.datasets.store.table import PairTable

DIMENSION = 24
Values = NDArray[np.float32]
Draw = Callable[[int], Values]  # from a style's number to the embeddings of tiles


def tiles_like(style: int, count: int, seed: int = 0) -> Values:
    """Draw embeddings of a style; styles differ more than tiles of one."""
    rng = np.random.default_rng([style, seed])
    centre = np.random.default_rng(style).normal(size=DIMENSION)
    return (centre + 0.3 * rng.normal(size=(count, DIMENSION))).astype(np.float32)


def keep_real(dataset: Dataset, style: int, values: Values) -> None:
    folder = private_folder(dataset.description) / "real"
    folder.mkdir(parents=True, exist_ok=True)
    real = RealTiles()
    real.add(np.zeros((8, 8 * len(values), 3), np.uint8), values[None])
    real.save(folder / f"{style:06}.npz")


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXCELL_DATA_DIR", str(tmp_path / "user"))


def dataset_of(folder: Path, rows: int, tiles: int, styles: int = 2, groups: int = 2) -> Dataset:
    """Make a dataset of many rows, of the files of its first pair, and tiles of each style.

    The pictures of even pairs are of style 0 and resemble it, and so on.
    """
    dataset = make_dataset(folder, styles, 1, groups, pairs=1)
    dataset.describe(plan=dataset.description.plan | {"seeds": rows})  # type: ignore[operator]
    looks = [row | {"look": {"L": 60.0, "a": 20.0, "b": -9.0}} for row in dataset.style_rows()]
    (folder / "styles.jsonl").unlink()
    append_rows(folder / "styles.jsonl", looks)
    (first,) = read_rows(folder / "manifest.jsonl")
    numbered = []
    for index in range(rows):
        names = {
            kind: f"{kind}s/{index:06}.{end}" for kind, end in (("image", "png"), ("mask", "tif"))
        }
        hashes = {"files": dict.fromkeys(names.values(), "")}
        numbered.append(first | {"index": index, "style": index % styles} | names | hashes)
    (folder / "manifest.jsonl").unlink()
    append_rows(folder / "manifest.jsonl", numbered)
    for style in range(styles):
        if tiles:
            keep_real(dataset, style, tiles_like(style, tiles))
    return Dataset(folder)


def embed(dataset: Dataset, indices: range, styles: int = 2) -> None:
    for index in indices:
        keep_embedding(dataset.folder, index, tiles_like(index % styles, 1, 7 + index))


def compared(dataset: Dataset) -> TissueComparison | None:
    return compare_with_tissue(dataset, PairTable(dataset))


def text_of(dataset: Dataset, path: Path) -> str:
    return write_report(dataset, path).read_text("utf-8")


def test_the_report_compares_the_pictures_with_the_real_tiles(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "data", 130, 120)
    embed(dataset, range(130))
    found = compared(dataset)
    assert found is not None and found.whole is not None
    assert (found.whole.pictures, found.whole.real, found.whole.compared) == (130, 240, 120)
    assert found.whole.ratio == pytest.approx(1, abs=0.3) and not found.notes
    assert found.part == "slide" and list(found.parts) == ["slide-0", "slide-1"]
    assert [one.compared for one in found.parts.values()] == [60, 60]
    html = text_of(dataset, tmp_path / "a.html")
    for words in (
        "Pictures and real tissue",
        "130 pictures that are exported were compared with 240 real tiles of their styles, by the "
        "embeddings of Demo (bundled). Each figure compares 120 pictures",
        "times as far from the real tiles as these are from each other. 1 is best.",
        "of the pictures lie within the range of the real tiles",
        "By slide",
        "Real tiles and pictures along the two main axes",
    ):
        assert words in html, words
    assert html.count("<circle") == 130 + 240 + 2
    assert "hint" not in html


def test_pictures_that_crowd_or_miss_the_tissue_are_told(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "data", 60, 120, styles=1, groups=1)
    for index in range(60):
        keep_embedding(dataset.folder, index, tiles_like(0, 400).mean(axis=0, keepdims=True))
    html = text_of(dataset, tmp_path / "a.html")
    assert "crowd where real tissue is most typical" in html and "0 % of the real tiles lie" in html
    for index in range(60):  # the last row of a pair counts
        keep_embedding(dataset.folder, index, tiles_like(5, 1, index))
    html = text_of(dataset, tmp_path / "b.html")
    assert "at the margin of the real tissue" in html and "0 % of the pictures lie" in html


def test_rejected_and_other_pictures_are_left_out(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "data", 90, 60)
    embed(dataset, range(80))
    decide(dataset.folder, dict.fromkeys(range(20), "rejected"))
    for path in sorted((private_folder(dataset.description) / "real").iterdir())[1:]:
        path.unlink()
    found = compared(dataset)
    assert found is not None and found.whole is not None
    assert found.whole.pictures == 30 and found.whole.real == 60 and found.whole.compared == 30
    assert found.notes == [
        "Only 30 pictures and 30 real tiles could be compared at a time. Below 50, chance moves "
        "the figures much: take them as a hint.",
        "35 pictures were left out because the tissue of the style is not known here.",
        "5 pictures are not embedded and left out. Run “dataset resume” to embed them.",
    ]
    assert found.notes[0] in text_of(dataset, tmp_path / "a.html")
    decide(dataset.folder, dict.fromkeys(range(90), "rejected"))
    assert compared(dataset) is None


def test_too_few_samples_give_a_sentence_and_a_picture(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "data", 30, 9)
    embed(dataset, range(30))
    html = text_of(dataset, tmp_path / "a.html")
    assert "30 pictures and 18 real tiles are too few to tell. At least 10 pictures and 20" in html
    assert "Fréchet" not in html and html.count("<circle") == 30 + 18 + 2


def test_a_dataset_without_what_it_takes_says_how_to_get_it(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "data", 20, 20)
    assert "The pictures have not been embedded" in text_of(dataset, tmp_path / "a.html")
    append_rows(dataset.folder / EMBEDDINGS, [{"index": 3, "embedding": "?"}, {"index": 999}])
    assert "Run “dataset resume” on the machine" in text_of(dataset, tmp_path / "b.html")
    for path in (private_folder(dataset.description) / "real").iterdir():
        path.write_bytes(b"damaged")
    assert "The real tissue of the styles is not on this" in text_of(dataset, tmp_path / "c.html")
    drawn = make_dataset(tmp_path / "no tissue", pairs=1)
    assert "Pictures and real tissue" not in text_of(drawn, tmp_path / "d.html")


def test_embeddings_of_another_model_do_not_count(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "data", 24, 30)
    embed(dataset, range(12))
    for index in range(12, 24):
        keep_embedding(dataset.folder, index, np.ones((1, 5), np.float32))
    found = compared(dataset)
    assert found is not None and found.whole is not None and found.whole.pictures == 12


def test_a_renamed_and_moved_dataset_keeps_its_figures(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "data", 60, 50)
    embed(dataset, range(60))
    before = compared(dataset)
    (tmp_path / "else").mkdir()
    dataset.folder.rename(tmp_path / "else" / "other")
    moved = Dataset(tmp_path / "else" / "other")
    moved.describe(name="Another name")
    after = compared(moved)
    assert before is not None and after is not None and before.whole == after.whole
    assert json.loads(json.dumps(after.to_dict()))["whole"]["compared"] == 50


def test_points_have_one_scale_along_both_axes() -> None:
    rings = np.array([[0.0, 0.0], [4.0, 0.0]])
    chart = scatter(rings, np.array([[2.0, 1.0]]), ("ring <b>", "dot"), "both")
    (left, base), (right, _) = chart.rings
    ((x, y),) = chart.dots
    assert x - left == pytest.approx((right - left) / 2) and base - y == pytest.approx(
        x - left, 0.5
    )
    assert base - y == pytest.approx((right - left) / 4, abs=0.2)
    svg = render("scatter.svg", chart=chart)
    assert svg.count("<circle") == 5 and "ring &lt;b&gt;" in svg
    assert scatter(rings[:1], rings[:1], ("a", "b"), "c").dots  # a single place
