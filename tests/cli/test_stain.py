"""Virtual stains on the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from own_stain import write_own_stain
from tifffile import imwrite

from napari_pixcell.datasets import read_record
from napari_pixcell.models.own_families import families_folder
from napari_pixcell.slides.samples import SAMPLE_SLIDE

PLACE = ["--region", "300,300,256,256", "--steps", "4"]


@pytest.fixture
def stains(tmp_path: Path) -> str:
    names = [write_own_stain(tmp_path, f"own{i}", f"Own {i}", i) for i in range(2)]
    return ",".join(names)


def test_several_stains_are_written_and_reproduced_from_their_records(
    run, stains: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    options = ("--stain", stains, "--keep-structure", 0.5, "--out", out)
    result = run("stain", SAMPLE_SLIDE, *PLACE, *options)
    assert result["code"] == 0
    names = [f"images/variant-Own_{i}-seed1234.png" for i in range(2)]
    assert result["images"] == names
    first, second = (read_record(out / name) for name in names)
    assert (first.request.family, second.request.family) == ("own0", "own1")
    assert first.request.strength == 0.5 and first.request.invert
    assert "compositeWith" in first.source_type
    assert "Add --slide FILE" in run("rerun", out / names[1])["error"]
    assert run("rerun", out / names[1], "--slide", SAMPLE_SLIDE)["same pixels"] == "yes"


def test_the_published_method_starts_from_noise(run, stains: str, tmp_path: Path) -> None:
    name = stains.split(",")[0]
    out = tmp_path / "out"
    for option in (["--from-noise"], ["--keep-structure", 0], ["--method", "published"]):
        result = run("stain", SAMPLE_SLIDE, *PLACE, "--stain", name, *option, "--out", out)
        record = read_record(out / result["images"][0])
        assert result["code"] == 0 and record.request.start is None
        assert record.request.published == ("published" in option)


def test_no_invert_mixes_noise_into_the_tissue(run, stains: str, tmp_path: Path) -> None:
    arguments = [SAMPLE_SLIDE, *PLACE, "--stain", "own0", "--no-invert", "--out", tmp_path / "out"]
    result = run("stain", *arguments)
    request = read_record(tmp_path / "out" / result["images"][0]).request
    assert result["code"] == 0 and not request.invert and request.strength == 0.5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--stain", "rabies"], "There is no stain “rabies”. Choose one of: "),
        (["--stain", "demo"], "There is no stain “demo”"),
        (["--stain", "HER2"], "Virtual HER2 is not installed: the transformer from"),
        (["--stain", "own0", "--keep-structure", "2"], "--keep-structure is 2. Choose 0"),
        (["--stain", "own0", "--from-noise", "--invert"], "--from-noise does not. Omit one"),
        (["--stain", "own0", "--method", "published", "--invert"], "method starts from noise"),
        (
            ["--stain", "own0", "--region", "0,0,90,300"],
            "Own 0 needs 128 µm or more. Choose a larger region",
        ),
    ],
)
def test_an_impossible_stain_is_refused(
    run, stains: str, tmp_path: Path, arguments: list[str], words: str
) -> None:
    result = run("stain", SAMPLE_SLIDE, *PLACE, *arguments, "--out", tmp_path / "out")
    assert result["code"] == 1 and words in result["error"]


@pytest.mark.parametrize(
    ("base", "words"),
    [
        ("pixcell-1024", "Virtual Own 0 is not installed: the transformer from StonyBrook"),
        ("pixcell-2048", "own0.toml needs a line base"),
    ],
)
def test_your_own_stain_needs_its_base(
    run, stains: str, tmp_path: Path, base: str, words: str
) -> None:
    path = families_folder() / "own0.toml"
    path.write_text(path.read_text().replace('base = "demo"', f'base = "{base}"'))
    result = run("stain", SAMPLE_SLIDE, *PLACE, "--stain", "own0", "--out", tmp_path / "out")
    assert result["code"] == 1 and words in result["error"]


def test_ihc_is_stained_with_a_warning(run, stains: str, tmp_path: Path) -> None:
    ihc = np.full((300, 300, 3), (225, 230, 240), np.uint8)
    y, x = np.mgrid[:300, :300] % 40 - 20
    ihc[y**2 + x**2 < 120] = (110, 70, 30)
    imwrite(tmp_path / "ihc.tif", ihc)
    arguments = ["--mpp", "0.5", "--region", "0,0,256,256", "--steps", "1", "--from-noise"]
    output = ["--stain", "own0", "--out", tmp_path / "out"]
    result = run("stain", tmp_path / "ihc.tif", *arguments, *output)
    assert result["code"] == 0 and "looks like IHC already" in result["stderr"]
