"""The report: one self-contained page."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from drawn_dataset import make_dataset
from PIL import Image

from napari_pixcell.cells.methods import LayoutSource, SegmentMethod
from napari_pixcell.datasets.report.charts import histogram
from napari_pixcell.datasets.report.sheets import ranked, small_outlined
from napari_pixcell.datasets.report.sources import licences, references
from napari_pixcell.datasets.report.writing import render, write_report
from napari_pixcell.datasets.store.checks import Checks, Limit
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.decisions import decide
from napari_pixcell.datasets.store.rows import append_rows, read_rows
from napari_pixcell.errors import PixCellError

VOID = ("img", "meta")
EVIL = '<script>alert("x")</script> & ‹ü›'


class Page(HTMLParser):
    """Refuses a page that is not well-formed, and keeps what is in it."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names))
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Ten pairs, two of them flagged, under a name that tries to be markup."""
    made = make_dataset(tmp_path_factory.mktemp("report") / "data", 2, 5)
    made.describe(
        name=EVIL,
        notice="DEMO: small networks",
        weights={"transformer": "ab" * 32},
        versions={"napari-pixcell": "0.1.0", "torch": "2.9"},
        device="cpu",
        segmenter=LayoutSource("cellpose", "tiny", "cd" * 32, "own terms").to_dict(),
    )
    decide(made.folder, {0: "rejected", 4: "accepted", 1: "accepted"})
    return made


@pytest.fixture(scope="module")
def page(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Page:
    path = tmp_path_factory.mktemp("page") / "report.html"
    assert write_report(dataset, path) == path
    html = path.read_text("utf-8")
    assert html.startswith("<!DOCTYPE html>")
    return Page(html)


def test_names_are_escaped(page: Page, dataset: Dataset, tmp_path: Path) -> None:
    assert not page.all("script") and EVIL in page.text
    for name in ("styles.jsonl", "layouts.jsonl"):
        rows = [row | {"name": EVIL, "group": EVIL} for row in read_rows(dataset.folder / name)]
        append_rows(tmp_path / name, rows)
    for name in ("dataset.json", "manifest.jsonl", "images", "masks", "apart"):
        (tmp_path / name).symlink_to(dataset.folder / name)
    renamed = Page(write_report(Dataset(tmp_path), tmp_path / "a.html").read_text("utf-8"))
    assert not renamed.all("script") and renamed.text.count(EVIL) >= 1 + 2 * (2 + 5)


def test_the_page_loads_nothing(page: Page) -> None:
    assert not page.all("link") and not page.all("iframe") and not page.all("object")
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in page.all("img"))
    assert not any("href" in attributes or "url(" in str(attributes) for _, attributes in page.tags)
    assert any("default-src 'none'" in str(meta.get("content")) for meta in page.all("meta"))


def test_the_page_describes_the_dataset(page: Page) -> None:
    for words in (
        "SYNTHETIC images, made by a generative model: not real tissue. For research use only",
        "DEMO: small networks.",
        "10 images with masks of their cells, of 48 × 48 px at 0.5 µm/px (24 × 24 µm)",
        "Pairs made 10 of 10 planned",
        "Flagged by a check, and set apart 2 (20.0 %)",
        "does not follow its mask 2 (20.0 %)",
        "Accepted by a reviewer 2 (20.0 %)",
        "Rejected by a reviewer 1 (10.0 %)",
        "neither flagged nor rejected 8 (80.0 %)",
        "Styles 2 Source slides and pictures of the styles 2 Layouts 5",
        "Groups of layouts, such as variations of one 3",
        "of them from 0.3 to 0.608. 2 are not at least 0.5.",
        "All are at least 0.5.",
        "each style with each layout",
        "dice at least 0.5, kappa at least 0.4, placed at least 0.4, style at least 0.5, copy pix",
        "Cells in the images segmented by the built-in method",
        "transformer bundled " + "ab" * 32,
        "segmenter tiny " + "cd" * 32,
        "napari-pixcell 0.1.0, torch 2.9",
        "Images, by the weights of Demo (bundled) CC0",
        "napari-pixcell 0.1.0, BSD-3-Clause",
        "arXiv:2506.05127",
        "napari-pixcell rerun images/000000.png --out again",
    ):
        assert words in page.text, words


def test_examples_are_marked_pictures_with_outlines(page: Page) -> None:
    images = page.all("img")
    assert len(images) == 6  # best, median and worst by two scores
    assert "Worst: 0.3. Pair 9 (mask)" in page.text
    data = base64.b64decode((images[0]["src"] or "").partition(",")[2])
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (256, 256) and b"SYNTHETIC" in image.info["comment"]
        assert b"trainedAlgorithmicMedia" in image.info["xmp"]
        pixels = np.asarray(image).astype(int)
    yellow = (pixels[..., 0] > 180) & (pixels[..., 1] > 170) & (pixels[..., 2] < 120)
    assert yellow.sum() > 100


def test_missing_files_of_a_pair_are_reported(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data", pairs=1)
    (dataset.folder / "images" / "000000.png").unlink()
    page = Page(write_report(dataset, tmp_path / "a.html").read_text())
    assert "Its files cannot be read. Run “dataset check”." in page.text and not page.all("img")


def test_impossible_reports_are_refused(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data", pairs=0)
    with pytest.raises(PixCellError, match=r"data has no pair to report on yet\. Resume it first"):
        write_report(dataset, tmp_path / "a.html")
    dataset = make_dataset(tmp_path / "more", pairs=1)
    with pytest.raises(PixCellError, match=r"a\.html cannot be written .*\. Choose another folder"):
        write_report(dataset, tmp_path / "none" / "a.html")


def bars(svg: str) -> list[tuple[str, int]]:
    """Return the colour and the count of each bar."""
    found = re.findall(r"<rect[^>]*fill=\"(#\w+)\"><title>[^<]*: ([\d,]+)</title>", svg)
    return [(colour, int(count.replace(",", ""))) for colour, count in found]


@pytest.mark.parametrize("least", [True, False])
def test_bars_beyond_the_limit_have_another_colour(least: bool) -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.uniform(0, 1, 500), np.full(7, 0.7)]).astype(np.float32)
    limit = Limit(0.7, least)
    svg = render("histogram.svg", chart=histogram(values, "how many", limit))
    beyond = sum(count for colour, count in bars(svg) if colour == "#d9822b")
    assert sum(count for _, count in bars(svg)) == 507
    assert (
        beyond
        == int(limit.beyond(values).sum())
        == int((values < np.float32(0.7)).sum()) * (least)
        + int((values > np.float32(0.7)).sum()) * (not least)
    )
    assert f"at {'least' if least else 'most'} 0.7" in svg


@pytest.mark.parametrize("values", [[0.5], [0.0, 0.0], [-3.0, 1e6], [1, 2, 2], [7]])
def test_any_values_can_be_drawn(values: list[float]) -> None:
    svg = render("histogram.svg", chart=histogram(np.array(values), EVIL))
    assert sum(count for _, count in bars(svg)) == len(values)
    page = Page(svg)
    assert not page.all("script") and EVIL in page.text


def test_pairs_are_ranked_by_a_score() -> None:
    values = np.array([0.2, np.nan, 1.0, 5.0, 0.9, 0.9], np.float32)
    assert ranked(values, "dice", False) == {"Best": 3, "Median": 4, "Worst": 0}
    assert ranked(values, "colour", True) == {"Best": 0, "Median": 5, "Worst": 3}
    assert ranked(values, "sharpness", False)["Best"] == 2  # nearest to 1
    assert ranked(np.full(3, np.nan, np.float32), "dice", False) == {}


def test_limits_come_from_the_checks() -> None:
    checks = Checks(least_dice=None)
    assert checks.limit("dice") is None and checks.limit("pq") is None
    assert checks.limit("colour") == Limit(checks.most_colour, False)


def test_outlines_follow_a_shrunken_mask() -> None:
    labels = np.zeros((400, 200), np.int32)
    labels[100:300, 50:150] = 1
    picture = small_outlined(np.zeros((400, 200, 3), np.uint8), labels)
    yellow = np.argwhere(picture[..., 1] > 0)
    assert picture.shape == (256, 128, 3)
    assert yellow.min(axis=0).tolist() == [64, 32] and yellow.max(axis=0).tolist() == [191, 95]


def test_references_follow_from_the_models(dataset: Dataset) -> None:
    plain = "\n".join(references(dataset.description, []))
    assert "PixCell" in plain and "BreCaHAD" in plain
    assert "Cellpose" not in plain and "UNI2" not in plain
    found = LayoutSource("cellpose", "cpsam_v2", "ab", "weights for non-commercial use")
    checks = Checks(segmenter=SegmentMethod("cellpose", "/home/me/mine"))
    real = replace(dataset.description, family="pixcell-256-cells", checks=checks, segmenter={})
    cited = "\n".join(references(real, [found]))
    assert "Cellpose-SAM" in cited and "UNI2-h" in cited and "BreCaHAD" not in cited
    terms = dict(licences(replace(real, licence=""), [found]))
    assert "non-commercial" in terms["Images, by the weights of PixCell-256 with cells"]
    assert terms["Masks, by Cellpose cpsam_v2"] == "weights for non-commercial use"
    assert "The user's own Cellpose model" in terms["Scores, by Cellpose mine"]
    unknown = replace(dataset.description, family="lung", licence="")
    assert dict(licences(unknown, []))["Images, by the weights of lung"] == "not known"
