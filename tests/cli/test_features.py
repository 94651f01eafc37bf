"""Styles out of files of features on the command line, with and without the encoder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from feature_files import SIDE, features_of, places, write_trident
from random_checkpoints import SIZES, Widths, write_family

from napari_pixcell.cli import running
from napari_pixcell.datasets import read_record
from napari_pixcell.engine.engine import Engine
from napari_pixcell.models.families import get_family
from napari_pixcell.slides.content import content_key

REGION = "600,800,1026,770"  # 4 × 3 tiles of the demo family
TILE = "600,800,257,257"


@pytest.fixture
def without_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny PixCell families without the gated encoder, in an engine of their own."""
    widths = Widths(**SIZES | {"embed_dim": 1536}, layers=1)
    for name in ("pixcell-256", "pixcell-1024"):
        family = get_family(name)
        parts = tuple(part for part in family.parts if part.kind != "encoder")
        write_family(replace(family, parts=parts), tmp_path / "weights", widths)
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(tmp_path / "weights"))
    engine = Engine()
    monkeypatch.setattr(running, "engine", lambda: engine)


def test_a_grid_is_written_read_back_and_used(run, cmu_slide, tmp_path) -> None:
    out = tmp_path / "Doe 1954.h5"
    result = run("embed", cmu_slide, "--region", REGION, "--grid", "--out", out)
    assert result["shape"] == [3, 4, 128] and result["code"] == 0
    with h5py.File(out, "r") as file:  # as TRIDENT's documentation reads it
        features, coords = file["features"][:], file["coords"][:]
        attrs = dict(file["coords"].attrs)
    assert features.shape == (12, 128) and coords[[0, 1, 4]].tolist() == [
        [600, 800],
        [857, 800],
        [600, 1057],
    ]
    assert attrs["patch_size_level0"] == 257 and attrs["target_magnification"] == 20
    generate = ("generate", cmu_slide, "--region", TILE, "--count", 1, "--steps", 1)
    for number, place in enumerate(("5", "900,1100")):
        folder = tmp_path / str(number)
        made = run(*generate, "--style", f"{out}#{place}", "--out", folder)
        assert made["code"] == 0, made
        request = read_record(folder / made["images"][0]).request
        assert np.array_equal(request.embedding.unpack(), features[[5]])
        ((name, share),) = request.source.style
        assert name.startswith("features ") and name.endswith("#5") and share == 1
        assert "Doe" not in json.dumps(request.to_dict())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--grid", "--out", "a.npy"), "--grid writes features in HDF5. Add --out FILE.h5."),
        (("--grid", "--save-as", "A"), "--grid writes features in HDF5. Add --out FILE.h5."),
        (("--out", "a.h5"), "A file of features holds a grid. Add --grid, or use --out FILE.npy."),
        (("--grid", "--out", "none/a.h5"), "The folder for a.h5 does not exist."),
    ],
)
def test_a_grid_needs_a_file_of_features(run, cmu_slide, arguments, words) -> None:
    result = run("embed", cmu_slide, "--region", REGION, *arguments)
    assert result["code"] == 1 and words in result["error"]


def test_styles_are_used_without_the_encoder(run, cmu_slide, tmp_path, without_encoder) -> None:
    values = features_of(20)
    path = write_trident(tmp_path / "slide.h5", values, places(4, 5))
    generate = ("generate", cmu_slide, "--region", TILE, "--count", 1, "--steps", 1)
    made = run(*generate, "--family=pixcell-256", "--style", f"{path}#7", "--out", tmp_path / "a")
    assert made["code"] == 0, made
    record = read_record(tmp_path / "a" / made["images"][0])
    assert np.array_equal(record.request.embedding.unpack(), values[[7]])
    assert "encoder" not in record.weights and "transformer" in record.weights
    again = run("rerun", tmp_path / "a" / made["images"][0])
    assert again["same pixels"] == "yes"
    saved = run("styles", "add", "Stroma", f"{path}#7", "--family=pixcell-256")
    assert saved["shape"] == [1, 1, 1536] and saved["made of"] == [f"{_name_of(path)}#7 100%"]
    named = ("--family=pixcell-256", "--style", "stroma", "--out", tmp_path / "d")
    made = run(*generate, *named)
    assert made["code"] == 0, made
    request = read_record(tmp_path / "d" / made["images"][0]).request
    assert np.array_equal(request.embedding.unpack(), values[[7]])
    other = run(*generate, "--style", "stroma", "--out", tmp_path / "e")
    assert "“Stroma” was embedded by the encoder of another model (pixcell-256)" in other["error"]
    refused = run(*generate, "--family=pixcell-256", "--out", tmp_path / "b")
    assert "the encoder from MahmoodLab/UNI2-h is missing. Get it in" in refused["error"]
    large = ("generate", cmu_slide, "--region", "200,200,1027,1027", "--count", 1, "--steps", 1)
    place = f"{path}#{3.5 * SIDE},{1.5 * SIDE}"
    options = ("--family=pixcell-1024", "--style", place, "--out", tmp_path / "c")
    made = run(*large, *options)
    assert made["code"] == 0, made
    request = read_record(tmp_path / "c" / made["images"][0]).request
    grid = values.reshape(4, 5, -1)[:, 1:]
    assert np.array_equal(request.embedding.unpack(), grid.reshape(16, -1))


def _name_of(path: Path) -> str:
    return f"features {content_key(path)[:12]}"


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("", "“slide.h5” holds a style for each patch. Name one by its row, slide.h5#1234, or by"),
        ("#", "holds a style for each patch."),
        ("#abc", "holds a style for each patch."),
        ("#1.5", "holds a style for each patch."),
        ("#1,2,3", "holds a style for each patch."),
        ("#nan,1", "holds a style for each patch."),
        ("#99", "“slide.h5” has no row 99. Choose one from 0 to 3."),
        ("#0,99999", "“slide.h5” has no patch at 0, 99999. The nearest one is row 2, at 0, 512."),
        ("#0", "UNI2-h, and Demo (bundled) has an encoder of its own."),
    ],
)
def test_a_row_that_cannot_be_used_is_refused(run, cmu_slide, tmp_path, place, words) -> None:
    path = write_trident(tmp_path / "slide.h5", features_of(4), places(2, 2))
    family = "demo" if place == "#0" else "pixcell-256"
    asked = ("--family", family, "--style", f"{path}{place}", "--out", tmp_path / "out")
    result = run("generate", cmu_slide, "--region", TILE, *asked)
    assert result["code"] == 1 and words in result["error"]
