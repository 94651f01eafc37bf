"""A dataset identifies neither patient nor user, and each image file reproduces itself."""

from __future__ import annotations

import base64
import gzip
import io
import json
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from planted import (
    CASE,
    HOST,
    PATIENT,
    PLANTED,
    USER,
    found_in,
    parts_of,
    plant_ome,
    plant_svs,
    plant_user,
    planted_in,
)

from napari_pixcell.cells.methods import SegmentMethod
from napari_pixcell.cli.main import main
from napari_pixcell.datasets import read_record
from napari_pixcell.datasets.recipe.preparing import begin
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
from napari_pixcell.datasets.report.writing import write_report
from napari_pixcell.datasets.store.checks import Checks
from napari_pixcell.datasets.store.completeness import check_dataset
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.decisions import decide
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.errors import PixCellError
from napari_pixcell.slides import open_slide
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.samples import SAMPLE_SLIDE


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of planted slides by a planted user, in a folder of that name, and its report."""
    with pytest.MonkeyPatch.context() as patch:
        home = plant_user(patch, tmp_path_factory.mktemp("planted"))
        patch.setenv("PIXCELL_DATA_DIR", str(home / "data"))
        folder = home / "patients" / PATIENT
        folder.mkdir(parents=True)
        with open_slide(SAMPLE_SLIDE) as slide:
            tissue = slide.read(Region(0, 0, 600, 600), slide.require_mpp())
        slides = [plant_svs(folder, tissue, 0.5), plant_ome(folder, tissue[::-1], 0.5)]
        assert all(set(planted_in(path.read_bytes())) == set(PLANTED) for path in slides)
        picture = folder / f"{PATIENT}.png"
        Image.fromarray(tissue[320:576, 320:576]).save(picture, pnginfo=_info("Comment", PATIENT))
        mask = folder / f"{PATIENT} mask.tif"
        labels = np.zeros((256, 256), np.uint16)
        labels[50:70, 50:70], labels[120:150, 90:115] = 1, 2
        tifffile.imwrite(mask, labels, description=f"{PATIENT} {CASE}", software=USER)
        embedding = np.random.default_rng(0).normal(size=(1, 1, 128)).astype(np.float32)
        region = {  # as the dock gives it
            "from": "embedding",
            "name": "Region 1",
            "embedding": PackedArray.pack(embedding).to_dict(),
            "group": str(slides[0]),
            "source": {"region": [10, 20, 256, 256]},
        }
        recipe = DatasetRecipe(
            "Planted",
            styles=(
                {"from": "region", "slide": slides[0].name, "region": [10, 20, 256, 256]},
                {"from": "region", "slide": slides[1].name, "region": [80, 60, 256, 256]},
                {"from": "picture", "path": picture.name, "mpp": 0.5},
                region,
            ),
            layouts=({"from": "file", "path": mask.name, "mpp": 0.5},),
            steps=2,
            keep="best of 2",
        )
        (folder / "recipe.json").write_text(json.dumps(recipe.to_dict()))
        out = folder / "dataset"
        assert main(["dataset", "make", str(folder / "recipe.json"), "--out", str(out)]) == 0
        write_report(Dataset(out), out / "report.html")
        return out


def _info(key: str, value: str) -> PngInfo:
    info = PngInfo()
    info.add_text(key, value)
    return info


def test_a_dataset_and_its_report_identify_nobody(made: Path) -> None:
    assert len(list(made.rglob("images/*"))) == 4 and (made / "first_pairs.png").exists()
    assert found_in(made) == []


def test_converted_datasets_identify_nobody(made: Path, tmp_path: Path) -> None:
    from installed_formats import INSTALLED

    from napari_pixcell.datasets.formats.converting import convert

    dataset = Dataset(made)
    decide(made, {row["index"]: "accepted" for row in dataset.rows()})
    for name in INSTALLED:
        convert(dataset, name, tmp_path / name)
        assert sum(path.stat().st_size for path in (tmp_path / name).rglob("*")) > 100_000
    assert found_in(tmp_path) == []


def test_the_dataset_is_complete(made: Path) -> None:
    assert check_dataset(Dataset(made)).sentences == [
        "4 pairs: complete, marked as synthetic and traceable."
    ]


def test_the_dataset_records_its_checks(made: Path) -> None:
    description = Dataset(made).description
    assert description.segmenter["method"] == "builtin"
    limit = description.checks.most_copy_pixels  # as near as real tiles are to one another
    assert limit is not None and limit < Checks().most_copy_pixels


def test_the_path_of_a_segmenter_is_not_stored(tmp_path: Path) -> None:
    checks = Checks(segmenter=SegmentMethod("cellpose", f"/home/{USER}/mine"))
    recipe = DatasetRecipe("x", styles=({"from": "nothing"},), checks=checks)
    dataset = begin(recipe, tmp_path / "data")
    assert dataset.description.checks.segmenter.model == "mine"
    assert found_in(dataset.folder) == []


def test_an_image_file_reproduces_itself(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = max(Dataset(made).rows(), key=lambda row: row["kept"])
    assert row["candidates"] == 2
    alone = tmp_path / "alone.png"
    alone.write_bytes((made / row["image"]).read_bytes())
    assert main(["rerun", str(alone), "--out", str(tmp_path / "again"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["same pixels"], told["sha256"]) == ("yes", row["pixels"])
    again = tifffile.imread(next((tmp_path / "again" / "masks").iterdir()))
    assert np.array_equal(again, tifffile.imread(made / row["mask"]))


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, bytes]:
    """Export a variant that starts from planted tissue: slide, folder, and pixels of the tissue."""
    folder = tmp_path_factory.mktemp("begun")
    with pytest.MonkeyPatch.context() as patch:
        plant_user(patch, folder)
        with open_slide(SAMPLE_SLIDE) as sample:
            tissue = sample.read(Region(0, 0, 600, 600), sample.require_mpp())
        slide = plant_svs(folder, tissue, 0.5)
        for name, *more in (("out", ""), ("kept", "--keep-name"), ("whole", "--with-start")):
            options = ["--region", "10,20,256,256", "--start-from", "region", *filter(None, more)]
            options += ["--count", "1", "--steps", "2", "--out", str(folder / name)]
            assert main(["generate", str(slide), *options]) == 0
        region = Region(*read_record(next((folder / "out/images").iterdir())).request.source.region)
        with open_slide(slide) as opened:
            pixels = opened.read(region, 0.5)
    return slide, folder, pixels.tobytes()


def holds(folder: Path, pixels: bytes) -> bool:
    """Whether the rows of a picture are in any file of a folder, however packed."""
    rows = [pixels[at : at + 256 * 3] for at in range(0, len(pixels), 4096 * 3)]
    parts = (part for path in folder.rglob("*.*") for part in parts_of(path.read_bytes()))
    return any(row in part for part in parts for row in rows)


def test_exports_hold_no_tissue_and_no_name(begun: tuple[Path, Path, bytes]) -> None:
    _, folder, pixels = begun
    assert found_in(folder / "out") == [] and not holds(folder / "out", pixels)
    assert [path.name for path in (folder / "out/images").iterdir()] == ["variant-seed1234.png"]
    assert holds(folder / "whole", pixels)  # as was asked for
    assert PATIENT in next((folder / "kept/images").iterdir()).name


def test_a_record_is_reproduced_with_its_slide(
    begun: tuple[Path, Path, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slide, folder, pixels = begun
    (image,) = (folder / "out/images").iterdir()
    request = read_record(image).request
    assert request.start.withheld and request.start.sha256 == sha256(pixels).hexdigest()
    assert request.source.region is not None and len(request.source.slide) == 32
    again = ["rerun", str(image), "--slide", str(slide), "--out", str(tmp_path / "again")]
    assert main([*again, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["same pixels"] == "yes"
    assert not holds(tmp_path / "again", pixels)
    (whole,) = (folder / "whole/images").iterdir()
    assert main(["rerun", str(whole), "--json"]) == 0  # nothing is missing
    assert json.loads(capsys.readouterr().out)["same pixels"] == "yes"


def test_an_image_to_start_from_is_found_again(tmp_path: Path, begun: Any, capsys: Any) -> None:
    slide, folder, _ = begun
    (image,) = (folder / "out/images").iterdir()
    options = ["--region", "10,20,256,256", "--start-from", str(image), "--count", "1"]
    out = tmp_path / "out"
    assert main(["generate", str(slide), *options, "--steps", "2", "--out", str(out)]) == 0
    (second,) = (out / "images").iterdir()
    capsys.readouterr()
    assert main(["rerun", str(second), "--slide", str(image), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["same pixels"] == "yes"


def test_other_slides_are_refused(begun: Any, tmp_path: Path, capsys: Any) -> None:
    slide, folder, _ = begun
    (image,) = (folder / "out/images").iterdir()
    assert main(["rerun", str(image)]) == 1
    assert "Add --slide FILE, the slide or image" in capsys.readouterr().err
    assert main(["rerun", str(image), "--slide", str(SAMPLE_SLIDE)]) == 1
    assert "which is another file. Choose the slide or image" in capsys.readouterr().err
    record = read_record(image)
    moved = replace(record.request.source, region=(0.0, 0.0, 256.0, 256.0))
    moved_record = replace(record, request=replace(record.request, source=moved))
    path = tmp_path / "moved.json"
    path.write_text(json.dumps(moved_record.to_dict()))
    assert main(["rerun", str(path), "--slide", str(slide)]) == 1
    assert "which reads other pixels there" in capsys.readouterr().err
    with pytest.raises(PixCellError, match="names it by its hash"):
        record.request.start.view()


def tar_of(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        info = tarfile.TarInfo("a.bin")
        info.size = len(data)
        file.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def png_of(data: bytes) -> bytes:
    buffer, info = io.BytesIO(), PngInfo()
    info.add_text("a", data.decode(), zip=True)
    Image.new("L", (2, 2)).save(buffer, "png", pnginfo=info)
    return buffer.getvalue()


def tiff_of(data: bytes) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.frombuffer(data * 9, np.uint8)[None], compression="zlib")
    return buffer.getvalue()


def html_of(data: bytes) -> bytes:
    return b'<img src="data:image/png;base64,' + base64.b64encode(data) + b'">'


@pytest.mark.parametrize("word", [PATIENT, CASE, USER, HOST])
@pytest.mark.parametrize(
    "pack",
    [
        lambda data: b"x" + data,
        lambda data: data.upper(),
        lambda data: data.decode().encode("utf-16"),
        lambda data: zlib.compress(data),
        lambda data: gzip.compress(data),
        tar_of,
        png_of,
        tiff_of,
        lambda data: html_of(png_of(data)),
        lambda data: json.dumps({"zlib": base64.b64encode(zlib.compress(data)).decode()}).encode(),
        lambda data: gzip.compress(tar_of(html_of(png_of(data)))),
        lambda data: "".join(f"\\u{letter:04x}" for letter in data).encode(),
    ],
)
def test_the_search_finds_packed_strings(pack: Callable[[bytes], bytes], word: str) -> None:
    assert planted_in(pack(f"by {word}, in a text".encode())) == [word]
    assert planted_in(pack(b"nobody at all, in a text of some length")) == []
