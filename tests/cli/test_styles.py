"""Styles on the command line, with the demo family."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_pixcell.cli.main import main
from napari_pixcell.datasets import read_record
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.engine.styles.blending import blend
from napari_pixcell.engine.styles.library import StyleLibrary
from napari_pixcell.engine.tissue_colours import mixed_colours, tissue_colours
from napari_pixcell.slides import Region, open_slide

REGION, OTHER = "600,800,257,257", "900,1500,257,257"


@pytest.fixture
def picture(cmu_slide: Path, tmp_path: Path) -> Path:
    path = tmp_path / "Doe 1954.png"
    pixels = open_slide(cmu_slide).read(Region.parse(OTHER), 0.5)
    Image.fromarray(pixels).save(path, dpi=(50800, 50800))
    return path


def test_styles_of_every_kind_are_blended(run, cmu_slide, picture, tmp_path) -> None:
    first, second = tmp_path / "first.npy", tmp_path / "second.npy"
    run("embed", cmu_slide, "--region", REGION, "--out", first)
    result = run("embed", picture, "--out", second, "--save-as", "Stroma A")
    assert result["style"] == "Stroma A" and result["shape"] == [1, 128]
    generate = ("generate", cmu_slide, "--region", REGION, "--count", 1, "--steps", 1)
    asked = ("--style", first, "--style", "stroma a", "--style", "region", "--style", picture)
    weights = ("--style-weight", 1, "--style-weight", 2, "--style-weight", 1, "--style-weight", 0)
    result = run(*generate, *asked, *weights, "--out", tmp_path / "out")
    assert result["code"] == 0
    request = read_record(tmp_path / "out" / result["images"][0]).request
    a, b = np.load(first), np.load(second)
    assert np.allclose(request.embedding.unpack(), blend([a, b, a], [1, 2, 1])[0], atol=1e-6)
    assert request.source.style == (("embedding", 0.25), ("Stroma A", 0.5), ("region", 0.25))
    assert "Doe" not in json.dumps(request.to_dict())


def test_saved_styles_are_listed_shown_renamed_and_removed(run, picture, capsys) -> None:
    run("embed", picture, "--save-as", "Stroma A")
    assert [style["name"] for style in run("styles", "list")["styles"]] == ["Stroma A"]
    assert run("styles", "rename", "Stroma A", "B")["name"] == "B"
    shown = run("styles", "show", "b")
    assert shown["shape"] == [1, 1, 128] and shown["family"] == "demo"
    assert StyleLibrary().find("B").thumbnail is not None
    assert main(["styles", "list"]) == 0
    head, row = (line.split() for line in capsys.readouterr().out.splitlines())
    assert head[:4] == ["name", "family", "tiles", "dimension"]
    assert row[:4] == ["B", "demo", "1", "128"]
    assert run("styles", "remove", "B")["removed"] == "B"
    assert run("styles", "list")["styles"] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--style", "nobody"), "There is no style “nobody”. Saved styles: none; see"),
        (
            ("--style", "region", "--style-weight", "1", "--style-weight", "2"),
            "1 style and 2 weights",
        ),
        (("--style", "gone.npy"), "“gone.npy” does not exist"),
        (("--style", "BROKEN"), "is not an embedding"),
        (("--style", "region", "--style-weight", "0"), "more than 0"),
    ],
)
def test_an_unusable_style_is_refused(run, cmu_slide, tmp_path, arguments, words) -> None:
    broken = tmp_path / "broken.npy"
    broken.write_bytes(b"nothing")
    arguments = [broken if one == "BROKEN" else one for one in arguments]
    result = run("generate", cmu_slide, "--region", REGION, *arguments, "--out", tmp_path / "out")
    assert result["code"] == 1 and words in result["error"]


def test_embed_needs_an_output_and_a_valid_name(run, picture) -> None:
    assert "--save-as NAME" in run("embed", picture)["error"]
    assert "needs a name" in run("embed", picture, "--save-as", " ")["error"]


def test_colours_are_matched_where_the_style_knows_its_tissue(
    run, cmu_slide, picture, tmp_path, capsys
) -> None:
    generate = ("generate", cmu_slide, "--region", REGION, "--count", 1, "--steps", 1)

    def record(*arguments: object) -> GenerateRequest:
        result = run(*generate, *arguments, "--out", tmp_path / str(len(arguments)))
        assert result["code"] == 0, result
        return read_record(tmp_path / str(len(arguments)) / result["images"][0]).request

    run("embed", picture, "--save-as", "Stroma A", "--out", tmp_path / "a.npy")
    saved = StyleLibrary().find("Stroma A")
    assert saved.colours is not None
    assert run("styles", "show", "Stroma A")["tissue colours"] == "known"
    plain = record()
    own, region = plain.colour_match, Region(*plain.source.region)
    pixels = open_slide(cmu_slide).read(region, 0.5)
    assert own is not None and own.how == "full" and own.tissue == tissue_colours(pixels)
    blend = record("--style", "Stroma A", "--style", "region", "--colour-match", "gentle")
    assert blend.colour_match is not None and blend.colour_match.how == "gentle"
    assert blend.colour_match.tissue == mixed_colours([(saved.colours, 1), (own.tissue, 1)])
    assert record("--colour-match", "off").colour_match is None
    assert record("--method=published").colour_match is None
    capsys.readouterr()
    unknown = ("--style", tmp_path / "a.npy", "--colour-match", "full")
    assert main([*map(str, (*generate, *unknown)), "--out", str(tmp_path / "unknown")]) == 0
    words = "not matched, because the tissue of “embedding” is unknown"
    assert words in capsys.readouterr().err
    stain = ("--family", "demo-ki67", "--colour-match", "full", "--out", tmp_path / "stain")
    assert "Demo Ki67 changes the colours" in run(*generate, *stain)["error"]
