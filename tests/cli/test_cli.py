"""The command line, on a real slide, with the demo family."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scripted import ScriptedClient
from skimage.io import imread as imread_png
from svs import damage
from tifffile import imread, imwrite
from tiny_cellpose import discs

from napari_pixcell.cli.main import main
from napari_pixcell.datasets import load_manifest, read_record
from napari_pixcell.datasets.marks import synthetic_png
from napari_pixcell.engine.record import SOURCE_TYPE, pixels_sha256
from napari_pixcell.folders import cache_folder
from napari_pixcell.models.families import get_family
from napari_pixcell.slides import Region, open_slide, resample
from napari_pixcell.slides.stored_picture import pictures_folder
from napari_pixcell.studio.session import Session

REGION = "600,800,257,257"


def test_info_shows_the_pixel_size(run, cmu_slide) -> None:
    result = run("info", cmu_slide)
    assert (result["width"], result["height"]) == (2220, 2967)
    assert result["mpp"] == pytest.approx(0.499)


def test_without_json_the_result_is_printed_for_people(cmu_slide, capsys) -> None:
    assert main(["info", str(cmu_slide)]) == 0
    assert "mpp: 0.499" in capsys.readouterr().out


def test_embed_and_segment_write_their_files(run, cmu_slide, tmp_path) -> None:
    embedding = tmp_path / "e.npy"
    assert run("embed", cmu_slide, "--region", REGION, "--out", embedding)["shape"] == [1, 128]
    assert np.load(embedding).shape == (1, 128)
    named = run("embed", cmu_slide, "--region", REGION, "--out", tmp_path / "style")
    assert Path(named["embedding"]).read_bytes() == embedding.read_bytes()
    assert named["embedding"].endswith("style.npy")
    mask = tmp_path / "m.tif"
    result = run("segment", cmu_slide, "--region", REGION, "--out", mask)
    labels = imread(mask)
    assert labels.shape == (256, 256)
    assert result["cells"] == len(np.unique(labels)) - 1 > 0


def test_segmentation_follows_its_thresholds(run, cmu_slide, tmp_path) -> None:
    def found(*options: object) -> np.ndarray:
        run(
            "segment",
            cmu_slide,
            "--region",
            "1000,1400,600,500",
            "--out",
            tmp_path / "m.tif",
            *options,
        )
        return imread(tmp_path / "m.tif")

    usual, fewer = found(), found("--sensitivity", -0.8)
    more, large = found("--sensitivity", 0.8), found("--smallest-area", 30)
    assert np.count_nonzero(fewer) < np.count_nonzero(usual) < np.count_nonzero(more)
    areas = np.bincount(large.ravel())[1:] * 0.25
    assert 0 < large.max() < usual.max() and areas.min() >= 30
    areas = np.bincount(found("--largest-area", 30).ravel())[1:] * 0.25
    assert 0 < areas.max() <= 30


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--sensitivity", "2"], "The sensitivity is 2. Choose one from -1 to 1"),
        (["--smallest-area", "-1"], "The smallest cell area is -1 µm². Choose 0 or more"),
        (["--smallest-area", "99999"], "but the whole region has 16,384 µm². Choose a smaller one"),
    ],
)
def test_a_threshold_out_of_range_is_refused(run, cmu_slide, tmp_path, options, words) -> None:
    out = ["--out", tmp_path / "m.tif", *options]
    result = run("segment", cmu_slide, "--region", "600,800,256,256", *out)
    assert result["code"] == 1 and words in result["error"]


def test_a_corrupt_tile_in_the_region_is_reported(run, cmu_slide, tmp_path) -> None:
    path = tmp_path / "bad.svs"
    shutil.copyfile(cmu_slide, path)
    damage(path, page=0, tile=11)  # row 1, column 1: pixels 240 to 480
    result = run("segment", path, "--region", "200,200,300,300", "--out", tmp_path / "m.tif")
    assert "This region of “bad.svs” has a corrupt tile" in result["stderr"]


def test_cellpose_segments_as_the_built_in_method_does(
    run, tmp_path, tiny_cellpose, monkeypatch
) -> None:
    slide = tmp_path / "slide.tif"
    imwrite(slide, np.tile(discs(4)[0], (3, 3, 1)))

    def segment(name: str, *options: object) -> dict:
        place = ("--region", "100,100,256,256", "--mpp", 0.5)
        return run("segment", slide, *place, "--out", tmp_path / name, *options)

    builtin = segment("b.tif", "--method", "builtin")
    own = segment("o.tif", "--method", "cellpose", "--model", tiny_cellpose)
    assert set(own) == set(builtin) and own["found by"] == "Cellpose tiny"
    labels = imread(tmp_path / "o.tif")
    assert labels.shape == (256, 256)
    assert own["cells"] == len(np.unique(labels)) - 1
    assert abs(own["cells"] - builtin["cells"]) < 0.4 * builtin["cells"]
    (tmp_path / "models").mkdir()
    (tmp_path / "models/cpsam_v2").symlink_to(tiny_cellpose)
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path / "models"))
    assert segment("n.tif", "--method", "cellpose")["found by"] == "Cellpose cpsam_v2"
    np.testing.assert_array_equal(imread(tmp_path / "n.tif"), labels)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--method", "cellpose"), "Cellpose's weights are not installed"),
        (("--method", "cellpose", "--model", "none"), "There is no Cellpose model file none"),
        (("--model", "mine"), "Add --method cellpose, or omit --model"),
        (("--largest-area", -1), "The largest cell area is -1 µm². Choose more than 0"),
        (("--method", "cellpose", "--diameter", 1), "The cell diameter is 1 µm. Choose one from 3"),
        (("--method", "cellpose", "--flow-threshold", 9), "flow threshold is 9. Choose one from 0"),
    ],
)
def test_an_impossible_segmentation_is_refused(run, cmu_slide, tmp_path, options, sentence) -> None:
    out = tmp_path / "m.tif"
    result = run("segment", cmu_slide, "--region", REGION, "--out", out, *options)
    assert result["code"] == 1 and sentence in result["error"]
    assert not out.exists()


def test_a_style_is_computed_once_and_cached(run, cmu_slide, tmp_path, monkeypatch) -> None:
    def embed(name: str, *options: str) -> tuple[bool, bytes]:
        out = tmp_path / name
        result = run("embed", cmu_slide, "--region", REGION, "--out", out, *options)
        return result["from cache"], out.read_bytes()

    stored, computed = embed("anew.npy", "--no-cache")
    assert not stored and not list(cache_folder().rglob("*.embedding"))
    assert embed("first.npy") == (False, computed)
    assert embed("second.npy") == (True, computed)
    assert embed("again.npy", "--no-cache") == (False, computed)


def test_a_cached_style_gives_the_same_variants(run, cmu_slide, tmp_path) -> None:
    def generate(name: str, *options: str) -> tuple[str, int]:
        out = tmp_path / name
        short = ("--count", 1, "--steps", 1, "--out", out)
        run("generate", cmu_slide, "--region", REGION, *short, *options)
        row = json.loads((out / "manifest.jsonl").read_text())
        return row["record"]["sha256"], len(list(cache_folder().rglob("*.embedding")))

    pixels, stored = generate("anew", "--no-cache")
    assert stored == 0
    assert generate("first") == (pixels, 1)
    assert generate("second") == (pixels, 1)


def test_rerun_reproduces_a_generated_pair(run, cmu_slide, tmp_path) -> None:
    mask = tmp_path / "m.tif"
    run("segment", cmu_slide, "--region", REGION, "--out", mask)
    options = ("--layout", mask, "--count", 2, "--steps", 2, "--seed", 11, "--name", "case 1")
    result = run("generate", cmu_slide, "--region", REGION, *options, "--out", tmp_path / "out")
    assert result["seeds"] == [11, 12]
    rows = [json.loads(x) for x in (tmp_path / "out/manifest.jsonl").read_text().splitlines()]
    assert len(rows) == 2
    np.testing.assert_array_equal(imread(tmp_path / "out" / rows[0]["mask"]), imread(mask))
    again = run("rerun", tmp_path / "out" / rows[1]["image"], "--out", tmp_path / "again")
    assert again["same pixels"] == "yes"


@pytest.mark.parametrize(("added", "answer"), [(1, "nearly: no value"), (9, "no: the original")])
def test_rerun_tells_rounding_from_another_image(
    run, cmu_slide, tmp_path, added: int, answer: str
) -> None:
    options = ("--count", 1, "--steps", 1, "--out", tmp_path / "out")
    made = run("generate", cmu_slide, "--region", REGION, *options)
    image = tmp_path / "out" / made["images"][0]
    record, pixels = read_record(image), imread_png(image)
    other = np.where(pixels < 128, pixels + added, pixels - added).astype(np.uint8)
    image.write_bytes(synthetic_png(other, replace(record, sha256=pixels_sha256(other)), 0.5))
    same = run("rerun", image)["same pixels"]
    assert same.startswith(answer) and ("more than 1 of 255" in same) == (added == 1)


def test_a_repair_is_reported_reproduced_and_drops_wrong_nuclei(run, cmu_slide, tmp_path) -> None:
    mask, out = tmp_path / "m.tif", tmp_path / "out"
    run("segment", cmu_slide, "--region", REGION, "--out", mask)
    options = ("--layout", mask, "--count", 1, "--steps", 1, "--repair", 1, "--drop-wrong")
    result = run("generate", cmu_slide, "--region", REGION, *options, "--out", out)
    image, kept = out / result["images"][0], imread(out / result["masks"][0])
    repair = read_record(image).repair
    assert repair.rounds <= 1
    assert result["nuclei"] == [repair.sentence()]
    assert not np.isin(kept, repair.wrong).any()
    gone = np.isin(imread(mask), repair.wrong)
    np.testing.assert_array_equal(kept[~gone], imread(mask)[~gone])
    again = run("rerun", image, "--out", tmp_path / "again")
    assert again["same pixels"] == "yes"
    np.testing.assert_array_equal(imread(tmp_path / "again" / again["masks"][0]), kept)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--repair",), "--repair compares nuclei with a layout. Add --layout, or omit --repair."),
        (("--drop-wrong",), "--drop-wrong compares nuclei with a layout. Add --layout, or omit"),
        (
            ("--layout", "m.tif", "--repair-seconds", 3),
            "--repair-seconds belongs to a repair. Add --repair, or omit --repair-seconds.",
        ),
    ],
)
def test_a_repair_without_what_it_needs_is_refused(
    run, cmu_slide, tmp_path, monkeypatch, options, sentence
) -> None:
    monkeypatch.chdir(tmp_path)
    imwrite("m.tif", np.ones((256, 256), np.uint16))
    result = run("generate", cmu_slide, "--region", REGION, *options, "--out", "out")
    assert sentence in result["error"]


def test_no_file_that_generate_writes_names_a_path(run, cmu_slide, tmp_path) -> None:
    out = tmp_path / "out"
    run("generate", cmu_slide, "--region", REGION, "--count", 1, "--steps", 1, "--out", out)
    secrets = [str(cmu_slide.parent).encode(), b"Aperio", b"ScanScope", str(tmp_path).encode()]
    for path in out.rglob("*"):
        if path.is_file():
            assert not any(secret in path.read_bytes() for secret in secrets), path


@pytest.mark.parametrize(
    ("region", "sentence"),
    [
        ("1,2,3", "is not four numbers"),
        ("90000,90000,257,257", "outside the slide"),
        ("600,800,60,60", "smaller than"),
    ],
)
def test_an_invalid_region_is_refused(run, cmu_slide, tmp_path, region, sentence) -> None:
    result = run("generate", cmu_slide, "--region", region, "--out", tmp_path / "o")
    assert result["code"] == 1
    assert sentence in result["error"]
    assert not (tmp_path / "o").exists()


def test_a_mask_of_another_size_is_refused(run, cmu_slide, tmp_path) -> None:
    mask = tmp_path / "m.tif"
    imwrite(mask, np.ones((10, 10), np.uint16))
    options = ("--layout", mask, "--out", tmp_path / "o")
    result = run("generate", cmu_slide, "--region", REGION, *options)
    assert "10 × 10" in result["error"]


def test_an_error_is_one_line_without_a_traceback(tmp_path: Path, capsys) -> None:
    path = tmp_path / "notes.svs"
    path.write_text("no slide")
    assert main(["info", str(path)]) == 1
    error = capsys.readouterr().err
    assert "Traceback" not in error
    assert error.count("\n") == 1


def test_a_record_of_other_weights_cannot_be_rerun(run, cmu_slide, tmp_path) -> None:
    out = tmp_path / "out"
    run("generate", cmu_slide, "--region", REGION, "--count", 1, "--steps", 1, "--out", out)
    row = json.loads((out / "manifest.jsonl").read_text())
    record = row["record"]
    record["weights"]["vae"] = "0" * 64
    path = tmp_path / "record.json"
    path.write_text(json.dumps(record))
    assert "made with other weights (vae)" in run("rerun", path)["error"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="others always have a display")
def test_the_demo_runs_without_a_display(run, tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))  # no Xvfb to be found
    quick = replace(get_family("demo"), steps=4)
    monkeypatch.setattr("napari_pixcell.cli.demo.get_family", lambda _name: quick)
    result = run("demo", "--out", tmp_path / "out")
    assert result["code"] == 0 and "The demo runs without a window" in result["stderr"]
    assert len(result["images"]) == len(result["masks"]) == 4
    assert all((tmp_path / "out" / name).exists() for name in result["images"] + result["masks"])


def test_a_large_region_is_one_image_with_the_same_style_as_in_the_dock(
    run, cmu_slide, tmp_path
) -> None:
    box = (1900, 2700, 320, 267)  # at the slide's corner: its last tiles reach beyond the slide
    region = ",".join(map(str, box))
    arguments = ["--region", region, "--count", "1", "--steps", "2", "--out", tmp_path / "out"]
    made = run("generate", cmu_slide, *arguments, "--preset", "quick")
    image = tmp_path / "out" / made["images"][0]
    assert imread_png(image).shape == (266, 319, 3)
    request = read_record(image).request
    assert (request.size, request.preset, request.steps) == ((266, 319), "quick", 2)
    assert run("rerun", image)["same pixels"] == "yes"
    session = Session(ScriptedClient())
    session.slides.set(open_slide(cmu_slide))
    item = session.regions.draw(Region(*box))
    session.wait(20)
    assert item.size == request.size and item.embedding_stored
    np.testing.assert_array_equal(item.embedding.unpack(), request.embedding.unpack())
    session.close()


def test_an_image_too_large_for_memory_is_exported_as_a_slide(
    run, cmu_slide, tmp_path, monkeypatch
) -> None:
    arguments = ["--region", "1000,900,520,460", "--count", "1", "--steps", "1", "--seed", "5"]
    small = run("generate", cmu_slide, *arguments, "--out", tmp_path / "small")
    monkeypatch.setenv("PIXCELL_PICTURE_MB", "0.5")
    monkeypatch.setattr(resample, "COARSEST", 400)
    large = run("generate", cmu_slide, *arguments, "--out", tmp_path / "large")
    (name,) = large["images"]
    path = tmp_path / "large" / name
    assert name.endswith("-seed5.ome.tif") and load_manifest(tmp_path / "large")[0]["image"] == name
    with open_slide(path) as slide:
        assert slide.mpp == 0.5 and len(slide.levels) > 1
        pixels = np.asarray(slide.levels[0])
        halves = resample.pyramid(pixels)[1]
        np.testing.assert_array_equal(np.asarray(slide.levels[1]), halves)
    np.testing.assert_array_equal(pixels, imread_png(tmp_path / "small" / small["images"][0]))
    again = run("rerun", path, "--out", tmp_path / "again")
    assert again["same pixels"] == "yes" and again["images"] == [name]
    with tifffile.TiffFile(path) as file:
        assert "SYNTHETIC tissue, not real" in file.ome_metadata
        assert SOURCE_TYPE.encode() in file.pages.first.tags[700].value
    assert not list(pictures_folder().iterdir())


def test_a_preset_sets_the_steps(run, cmu_slide, tmp_path) -> None:
    arguments = ["--region", REGION, "--count", "1", "--out", tmp_path]
    made = run("generate", cmu_slide, *arguments, "--preset", "quick")
    assert read_record(tmp_path / made["images"][0]).request.steps == 8


def test_the_published_method_is_one_choice(run, cmu_slide, tmp_path) -> None:
    place = ("generate", cmu_slide, "--region", REGION, "--count", 1, "--steps", 1)
    made = run(*place, "--method", "published", "--control-both", "--out", tmp_path)
    request = read_record(tmp_path / made["images"][0]).request
    assert (request.preset, request.control_both) == ("published", True)
    assert run("rerun", tmp_path / made["images"][0])["same pixels"] == "yes"
    for option, words in (
        (["--preset", "quick"], "Omit --preset"),
        (["--start-from", "region"], "starts from noise"),
    ):
        refused = run(*place, "--method", "published", *option, "--out", tmp_path / "b")
        assert refused["code"] == 1 and words in refused["error"]


def test_generate_changes_part_of_the_region(run, cmu_slide, tmp_path) -> None:
    mask = np.zeros((256, 256), np.uint8)
    mask[90:150, 90:170] = 255
    imwrite(tmp_path / "part.tif", mask)
    place = ("generate", cmu_slide, "--region", REGION, "--count", 1, "--steps", 2)
    start = ("--start-from", "region", "--part", tmp_path / "part.tif", "--feather", 4)
    result = run(*place, *start, "--out", tmp_path / "out")
    image = imread_png(tmp_path / "out" / result["images"][0])
    record = read_record(tmp_path / "out" / result["images"][0])
    with open_slide(cmu_slide) as slide:
        tissue = slide.read(Region(*record.request.source.region), 0.5)
    changed = (image != tissue).any(axis=-1)
    assert changed[mask > 0].mean() > 0.9
    assert not changed[:82].any() and not changed[158:].any()
    assert (record.request.strength, record.request.feather) == (0.6, 8)
    assert record.source_type.endswith("compositeWithTrainedAlgorithmicMedia")
    image_file = tmp_path / "out" / result["images"][0]
    assert run("rerun", image_file, "--slide", cmu_slide)["same pixels"] == "yes"
    # Its result is an image to start from, too.
    again = ("--start-from", tmp_path / "out" / result["images"][0], "--strength", 0)
    second = run(*place, *again, "--out", tmp_path / "second")
    kept = imread_png(tmp_path / "second" / second["images"][0])
    np.testing.assert_array_equal(kept, image)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--strength", 0.5), "--strength needs an image to start from. Add"),
        (("--start-from", "none.png"), "There is no image none.png. Check its path"),
        (("--start-from", "bad.png"), "bad.png cannot be read as an image. Use a TIFF, PNG"),
        (("--start-from", "small.tif"), "is 9 × 9 px, but the result has 300 × 300 px"),
        (("--start-from", "region", "--feather", 2), "--feather blends around a part. Add --part"),
        (("--start-from", "region", "--part", "small.tif"), "Use an 8-bit mask of 300 × 300 px"),
        (("--start-from", "region", "--part", "full.tif", "--feather", -1), "Choose 0 to 512 µm"),
        (("--start-from", "region", "--part", "empty.tif"), "The area to regenerate is empty"),
        (("--start-from", "region", "--strength", 3), "choose one from 0 to 1"),
    ],
)
def test_an_impossible_start_is_refused(
    run, cmu_slide, tmp_path, monkeypatch, options, sentence
) -> None:
    monkeypatch.chdir(tmp_path)
    imwrite("small.tif", np.ones((9, 9, 3), np.uint8))
    imwrite("full.tif", np.ones((300, 300), np.uint8))
    imwrite("empty.tif", np.zeros((300, 300), np.uint8))
    Path("bad.png").write_text("no image")
    values = np.zeros((2, 2, 128), np.float32)
    monkeypatch.setattr("napari_pixcell.cli.styles.embedding_of", lambda *_: (values, True))
    place = ("generate", cmu_slide, "--region", "600,800,301,301")
    result = run(*place, *options, "--out", tmp_path / "out")
    assert result["code"] == 1 and sentence in result["error"]
    assert not (tmp_path / "out").exists()
