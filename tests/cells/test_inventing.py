"""Invented layouts (by recipe, measurement and density map) and variations."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from real_layouts import annotated, gaps_are_kept, nearest_um, sample_layout, segmented
from tifffile import imread

from napari_pixcell.cells import Recipe, StampLibrary, count_cells, describe, invent, measure, vary
from napari_pixcell.cells.inventing.centres import clark_evans
from napari_pixcell.cells.inventing.invent import concentration
from napari_pixcell.cells.inventing.measuring import cell_shapes
from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.cli.main import main
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import GenerateRequest, Source, request_from_dict
from napari_pixcell.errors import PixCellError

RECIPES = {
    "usual": Recipe(),
    "even": Recipe(density=4000, clustering=0.0, area_spread=0.2),
    "by chance": Recipe(density=2000, clustering=0.5, area_um2=60),
    "clustered": Recipe(density=1200, clustering=0.75),
    "spindles": Recipe(elongation=2.5, alignment=0.7, direction=40, density=2000),
    "dense": Recipe(density=8000, area_um2=30, clustering=0.15),
    "many sizes": Recipe(density=4000, area_spread=1.0, clustering=0.25),
}


@pytest.mark.parametrize("name", RECIPES)
def test_invented_layouts_match_their_recipe(name: str) -> None:
    recipe = RECIPES[name]
    invented = invent(recipe, (640, 640), 0.5)
    found = measure(invented.labels, 0.5)
    assert invented.labels.dtype == np.int32 and gaps_are_kept(invented.labels)
    assert invented.placed == invented.wanted == count_cells(invented.labels)
    assert found.density == pytest.approx(recipe.density, rel=0.01)
    assert found.area_um2 == pytest.approx(recipe.area_um2, rel=0.08)
    assert found.area_spread == pytest.approx(recipe.area_spread, abs=0.1)
    assert found.elongation == pytest.approx(recipe.elongation, rel=0.08)
    assert found.elongation_spread == pytest.approx(recipe.elongation_spread, abs=0.2)
    assert found.alignment == pytest.approx(recipe.alignment, abs=0.15)
    assert found.clustering == pytest.approx(recipe.clustering, abs=0.1)
    if recipe.alignment:
        assert found.direction == pytest.approx(recipe.direction, abs=8)


@pytest.mark.parametrize("field", ["1012", "1034", "1019", "skin", "pale", "crowded"])
def test_invented_layouts_resemble_the_measured_one(
    field: str, shared_data: Path, cmu_slide: Path
) -> None:
    match field:
        case "skin":
            real = segmented(cmu_slide)
        case "pale":
            real = sample_layout(512, 512)
        case "crowded":
            real = sample_layout(1400, 1400)
        case _:
            real = annotated(shared_data, int(field))
    recipe = measure(real, 0.5)
    invented = invent(recipe, real.shape, 0.5).labels
    found = measure(invented, 0.5)
    assert describe(invented, 0.5).per_mm2 == pytest.approx(describe(real, 0.5).per_mm2, rel=0.1)
    assert found.area_um2 == pytest.approx(recipe.area_um2, rel=0.15)
    assert found.elongation == pytest.approx(recipe.elongation, rel=0.1)
    assert nearest_um(invented) == pytest.approx(nearest_um(real), rel=0.15)
    assert found.alignment == pytest.approx(recipe.alignment, abs=0.2)
    assert (invented > 0).mean() == pytest.approx((real > 0).mean(), rel=0.25)


def test_a_seed_gives_the_same_labels_in_another_process() -> None:
    script = (
        "import zlib; from napari_pixcell.cells import Recipe, invent;"
        "labels = invent(Recipe(seed=5, clustering=0.6), (256, 256), 0.5).labels;"
        "print(zlib.crc32(labels.tobytes()))"
    )
    there = int(subprocess.check_output([sys.executable, "-c", script]))
    here = invent(Recipe(seed=5, clustering=0.6), (256, 256), 0.5).labels
    assert there == zlib.crc32(here.tobytes())
    one, two = (invent(Recipe(seed=s), (128, 128), 0.5).labels for s in (1, 2))
    assert (one != two).any()


def test_density_maps_set_position_and_density() -> None:
    density_map = np.array([[0.0, 0.0, 1.0, 1.0], [0.5, 0.5, 1.0, 1.0]])
    invented = invent(Recipe(density=4000), (800, 800), 0.5, density_map=density_map)
    shapes = cell_shapes(invented.labels, 0.5)
    top, left = shapes.y_um < 200, shapes.x_um < 200
    mm2 = 0.2**2
    empty, thin, full = (np.sum(m) / mm2 for m in (top & left, ~top & left, ~left))
    assert empty < 250  # cells that reach over the edge
    assert thin == pytest.approx(2000, rel=0.25)
    assert full / 2 == pytest.approx(4000, rel=0.15)
    assert invented.wanted == pytest.approx(4000 * 0.65 * 0.4**2, rel=0.1)


def test_large_density_maps_are_followed() -> None:
    y, x = np.mgrid[:300, :200]
    nest = ((y - 150) / 150) ** 2 + ((x - 100) / 100) ** 2 < 0.5
    labels = invent(Recipe(density=5000), (400, 600), 0.5, density_map=nest.astype(float)).labels
    inside = np.asarray(Image.fromarray(nest).resize((600, 400))) > 0
    assert ((labels > 0) & inside).sum() > 30 * ((labels > 0) & ~inside).sum()


def test_cells_without_room_are_counted() -> None:
    invented = invent(Recipe(density=12_000, area_um2=150, gap_um=3), (200, 200), 0.5)
    assert 0 < invented.placed < invented.wanted == 120
    assert count_cells(invented.labels) == invented.placed == invented.labels.max()
    assert gaps_are_kept(invented.labels)
    assert str(invented).startswith(f"{invented.placed} of 120 cells placed; there is no room")


def test_gaps_are_kept() -> None:
    labels = invent(Recipe(density=4000, gap_um=3), (256, 256), 0.5).labels
    for number in np.unique(labels)[1:30]:
        rows, columns = np.nonzero(labels == number)
        box = labels[
            max(0, rows.min() - 6) : rows.max() + 7, max(0, columns.min() - 6) : columns.max() + 7
        ]
        others = np.argwhere((box > 0) & (box != number))
        own = np.argwhere(box == number)
        if len(others):
            assert np.abs(others[:, None] - own[None]).max(axis=-1).min() > 6


def test_a_density_of_0_gives_no_cells() -> None:
    invented = invent(Recipe(density=0), (64, 64), 0.5)
    assert (invented.placed, invented.wanted, invented.labels.max()) == (0, 0, 0)
    tiny = invent(Recipe(density=30_000), (4, 4), 0.5)
    assert tiny.labels.shape == (4, 4)


def test_cells_are_drawn_from_the_given_library() -> None:
    square = StampLibrary((np.ones((20, 20), bool),), 0.5)
    recipe = Recipe(density=1000, elongation=1, elongation_spread=0, area_um2=100, area_spread=0)
    labels = invent(replace(recipe, alignment=1.0), (256, 256), 0.5, square).labels
    shapes = cell_shapes(labels, 0.5)
    assert np.median(shapes.area_um2) == pytest.approx(100, rel=0.1)


def test_classes_are_assigned_in_proportion() -> None:
    recipe = Recipe(classes={"tumour": 3, "stroma": 1})
    invented = invent(recipe, (1024, 1024), 0.5)
    assert set(invented.classes) == set(range(1, invented.placed + 1))
    share = list(invented.classes.values()).count("tumour") / invented.placed
    assert share == pytest.approx(0.75, abs=0.06)
    again = Recipe.from_dict(json.loads(json.dumps(recipe.to_dict())))
    assert again == recipe and again.classes == (("tumour", 3.0), ("stroma", 1.0))


def test_the_neighbour_index_separates_even_random_and_clustered() -> None:
    rng = np.random.default_rng(0)
    grid = np.stack(np.mgrid[:30, :30], -1).reshape(-1, 2) + 0.5
    chance = rng.random((900, 2)) * 30
    clusters = rng.random((30, 1, 2)) * 28 + rng.random((30, 30, 2))
    assert clark_evans(grid, (30, 30)) == pytest.approx(2, abs=0.1)
    assert clark_evans(chance, (30, 30)) == pytest.approx(1, abs=0.06)
    assert clark_evans(clusters.reshape(-1, 2), (30, 30)) < 0.6


@pytest.mark.parametrize("alignment", [0.0, 0.3, 0.6, 0.9, 1.0])
def test_directions_have_the_requested_order(alignment: float) -> None:
    angles = np.random.default_rng(0).vonmises(0, concentration(alignment), 20_000)
    assert abs(np.exp(1j * angles).mean()) == pytest.approx(alignment, abs=0.02)


def test_jitter_moves_cells_without_touching_others() -> None:
    real = invent(Recipe(seed=1), (256, 256), 0.5).labels
    moved = vary(real, 0.5, 3, jitter_um=2).labels
    before, after = cell_shapes(real, 0.5), cell_shapes(moved, 0.5)
    assert gaps_are_kept(moved)
    np.testing.assert_array_equal(before.labels, after.labels)
    np.testing.assert_allclose(before.area_um2, after.area_um2)
    offset = np.hypot(after.y_um - before.y_um, after.x_um - before.x_um)
    assert 1 < np.median(offset[~before.cut]) < 3.5
    assert (offset[before.cut] == 0).all()
    np.testing.assert_array_equal(moved, vary(real, 0.5, 3, jitter_um=2).labels)
    assert (moved != vary(real, 0.5, 4, jitter_um=2).labels).any()


def test_cells_are_dropped_and_added_in_proportion(shared_data: Path) -> None:
    real = annotated(shared_data, 1012)
    count, kept = count_cells(real), real.copy()
    dropped = vary(real, 0.5, 0, drop=0.25).labels
    assert count_cells(dropped) == count - round(0.25 * count)
    assert (dropped[dropped > 0] == real[dropped > 0]).all()
    added = vary(real, 0.5, 0, add=0.3).labels
    assert count_cells(added) == count + round(0.3 * count)
    np.testing.assert_array_equal(added[real > 0], real[real > 0])
    new = cell_shapes(np.where(added > real.max(), added, 0), 0.5)
    shapes = cell_shapes(real, 0.5)
    assert np.median(new.area_um2) == pytest.approx(np.median(shapes.area_um2), rel=0.3)
    np.testing.assert_array_equal(real, kept)


def test_crowded_layouts_vary_without_losing_cells() -> None:
    real = sample_layout(1400, 1400, 256)  # segmented: cells touch
    moved = vary(real, 0.5, 1, jitter_um=3).labels
    assert np.bincount(moved.ravel())[1:].tolist() == np.bincount(real.ravel())[1:].tolist()
    assert vary(real, 0.5, 1, drop=1).labels.max() == 0
    np.testing.assert_array_equal(vary(real, 0.5, 1).labels, real)
    assert vary(np.zeros((9, 9), np.int32), 0.5, 1, 2, 0.5, 0.5).labels.max() == 0


def test_requests_with_invented_layouts_round_trip() -> None:
    recipe = Recipe(seed=7, classes={"tumour": 1})
    labels = invent(recipe, (256, 256), 0.5).labels
    made = LayoutSource("invented", recipe=recipe.to_dict())
    request = GenerateRequest(
        "demo", layout=PackedArray.pack(labels), source=Source("case", layout=made)
    )
    again = request_from_dict(json.loads(json.dumps(request.to_dict())))
    assert again == request
    assert Recipe.from_dict(again.source.layout.recipe) == recipe
    assert "recipe" not in LayoutSource("painted").to_dict()
    assert LayoutSource.from_dict({"method": "painted", "later": 1}) == LayoutSource("painted")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"density": -1}, "The density is -1 cells/mm². Choose one from 0 to 30,000 cells/mm²"),
        ({"density": 1e9}, "The density is 1e\\+09 cells/mm². Choose one from 0 to 30,000"),
        ({"density": float("nan")}, "The density is nan cells/mm². Choose"),
        ({"density": "many"}, "The density is “many”. Choose"),
        ({"area_um2": 0}, "median area of a cell is 0 µm². Choose one from 2 to 2,000 µm²"),
        ({"area_spread": 4}, "spread of the areas is 4. Choose one from 0 to 1.5"),
        ({"elongation": 0.5}, "elongation of a cell is 0.5. Choose one from 1 to 6"),
        ({"elongation_spread": -1}, "spread of the elongations is -1. Choose"),
        ({"alignment": 2}, "alignment of the cells is 2. Choose one from 0 to 1"),
        ({"direction": 300}, "direction of the cells is 300°. Choose one from 0 to 180°"),
        ({"clustering": 1.5}, "The clustering is 1.5. Choose one from 0 to 1"),
        ({"gap_um": 100}, "gap between cells is 100 µm. Choose one from 0 to 50 µm"),
        ({"seed": 1.5}, "The seed is 1.5. Choose a whole number from 0"),
        ({"seed": -1}, "The seed is -1. Choose a whole number from 0"),
        ({"classes": {"a": -1}}, "Each class needs a name and a share"),
        ({"classes": {"a": 0}}, "Each class needs a name and a share"),
        ({"classes": 3}, "Each class needs a name and a share"),
        ({"colour": 3}, "This is not a recipe of a layout \\(unknown: colour\\). Use one"),
    ],
)
def test_invalid_recipes_are_explained(values: dict, sentence: str) -> None:
    with pytest.raises(PixCellError, match=sentence):
        Recipe.from_dict(values)


@pytest.mark.parametrize(
    ("density_map", "sentence"),
    [
        (np.zeros((4, 4)), "The density map is 0 everywhere. Paint where cells should be"),
        (np.array([[1.0, np.nan]]), "has negative or infinite values. Use 0 or more"),
        (np.array([[1.0, np.inf]]), "has negative or infinite values. Use 0 or more"),
        (np.array([[1.0, -1.0]]), "has negative or infinite values. Use 0 or more"),
        (np.ones((3, 3, 3)), "The density map is not a greyscale image"),
        (np.ones((0, 3)), "The density map is not a greyscale image"),
    ],
)
def test_invalid_density_maps_are_explained(density_map: np.ndarray, sentence: str) -> None:
    with pytest.raises(PixCellError, match=sentence):
        invent(Recipe(), (64, 64), 0.5, density_map=density_map)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: invent(Recipe(), (0, 9), 0.5), "A layout cannot be 9 × 0 px. Choose"),
        (lambda: invent(Recipe(), (9, 9), 0), "The pixel size is 0 µm. Choose one from 0.05 to 10"),
        (
            lambda: invent(Recipe(density=30_000), (16_000, 16_000), 0.5),
            "would have 1,920,000 cells, more than 500,000. Lower the density",
        ),
        (
            lambda: measure(np.zeros((64, 64), int), 0.5),
            "fewer than 5 whole cells, too few to measure. Choose one with more cells",
        ),
        (lambda: vary(np.eye(3), 0.5, 0, jitter_um=-1), "The jitter is -1 µm. Choose one from 0"),
        (lambda: vary(np.eye(3), 0.5, 0, jitter_um=1e4), "The jitter is 10000 µm. Choose one from"),
        (lambda: vary(np.eye(3), 0.5, 0, drop=1.5), "to drop is 150 %. Choose one from 0 to 100 %"),
        (lambda: vary(np.eye(3), 0.5, 0, add=-1), "to add is -100 %. Choose one from 0 to 500 %"),
        (lambda: vary(np.eye(3), 0.5, -4, drop=0), "The seed is -4. Choose a whole number"),
        (
            lambda: vary(np.arange(300_000).reshape(500, 600), 0.5, 0, add=1),
            "would have 599,998 cells, more than 500,000. Add fewer",
        ),
    ],
)
def test_invalid_arguments_are_explained(make, sentence: str) -> None:
    with pytest.raises(PixCellError, match=sentence):
        make()


def run(capsys: pytest.CaptureFixture, *arguments: object) -> dict:
    code = main(["layout", "invent", *map(str, arguments), "--json"])
    return {**json.loads(capsys.readouterr().out), "code": code}


def test_a_layout_is_invented_on_the_command_line(tmp_path: Path, capsys) -> None:
    out, grey = tmp_path / "l.tif", tmp_path / "map.png"
    Image.fromarray(np.array([[0, 255]], np.uint8)).save(grey)
    options = ("--size", "400x200", "--out", out, "--density", 5000, "--seed", 3)
    result = run(capsys, *options, "--density-map", grey)
    labels = imread(out)
    assert labels.shape == (200, 400) and labels.dtype == np.uint16
    assert result["cells"] == result["wanted"] == count_cells(labels)
    assert (labels[:, 220:] > 0).sum() > 10 * (labels[:, :180] > 0).sum()
    assert Recipe.from_dict(result["recipe"]) == Recipe(density=5000, seed=3)


def test_a_layout_like_another_on_the_command_line(tmp_path: Path, capsys, shared_data) -> None:
    like = shared_data / "cellbindb_demo" / "mouse_HE_512" / "gt_mask.tif"
    out = tmp_path / "l.tif"
    result = run(capsys, "--size", "256x256", "--out", out, "--like", like, "--alignment", 0)
    assert result["recipe"]["density"] == pytest.approx(5432, rel=0.01)
    assert result["recipe"]["alignment"] == 0
    assert describe(imread(out), 0.5).per_mm2 == pytest.approx(5432, rel=0.1)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--size", "big"), "The size “big” is not two numbers. Use WIDTHxHEIGHT"),
        (("--size", "64x64", "--clustering", "3"), "The clustering is 3. Choose one from 0 to 1"),
        (("--size", "64x64", "--like", "no.tif"), "“no.tif” does not exist. Check its name"),
        (("--size", "64x64", "--density-map", "bad.png"), "bad.png cannot be read as an image"),
    ],
)
def test_invalid_options_are_explained(arguments, sentence, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.png").write_text("none")
    result = run(capsys, *arguments, "--out", "l.tif")
    assert result["code"] == 1 and sentence in result["error"]
    assert not (tmp_path / "l.tif").exists()


def test_variations_with_too_many_cells_are_refused(monkeypatch) -> None:
    monkeypatch.setattr("napari_pixcell.cells.inventing.varying.MAX_CELLS", 50)
    with pytest.raises(PixCellError, match=r"more than 50\. Add fewer"):
        vary(sample_layout(), 0.5, 0, add=1.0)
