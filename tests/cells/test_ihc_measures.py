"""DAB measured in known mixtures, and in a Ki67 field from two scanners."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from ki67 import Field, field, kappa, matched, threshold_for

from napari_pixcell.cells import segment_nuclei
from napari_pixcell.cells.ihc.deconvolution import DAB, HAEMATOXYLIN, stain_densities, white_of
from napari_pixcell.cells.ihc.measures import Thresholds, measure_staining
from napari_pixcell.cells.ihc.table import (
    COLUMNS,
    NUCLEI_COLUMNS,
    as_text,
    nuclei_rows,
    picture_row,
    write_table,
)
from napari_pixcell.errors import PixCellError
from napari_pixcell.slides import Region, open_slide

MIXED = (0.1, 0.3, 0.5, 0.9)  # DAB of four nuclei


def stained(haematoxylin: np.ndarray, dab: np.ndarray, white: float = 240) -> np.ndarray:
    """Return an image of tissue with these optical densities."""
    vectors = np.array([HAEMATOXYLIN, DAB])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    density = haematoxylin[..., None] * vectors[0] + dab[..., None] * vectors[1]
    return np.rint(white * 10**-density).astype(np.uint8)


@pytest.fixture(scope="module")
def four() -> tuple[np.ndarray, np.ndarray]:
    """Four nuclei of 20 × 20 px on glass: image and label image."""
    labels = np.zeros((200, 200), np.int32)
    dab = np.zeros(labels.shape)
    for n, density in enumerate(MIXED):
        here = np.s_[90:110, 20 + 40 * n : 40 + 40 * n]
        labels[here], dab[here] = 10 * (n + 1), density
    return stained(0.2 * (labels > 0), dab), labels


def test_known_mixtures_are_recovered() -> None:
    haematoxylin, dab = np.meshgrid(np.linspace(0, 0.8, 9), np.linspace(0, 0.8, 9))
    found = stain_densities(stained(haematoxylin, dab), (240.0,) * 3)
    assert np.allclose(found[0], haematoxylin, atol=0.02)
    assert np.allclose(found[1], dab, atol=0.02)


def test_thresholds_change_classes_without_measuring_again(
    four: tuple[np.ndarray, np.ndarray],
) -> None:
    staining = measure_staining(four[0], 0.5, four[1])
    assert np.allclose(staining.dab, MIXED, atol=0.01)
    assert staining.white == (240, 240, 240)
    scores = staining.score()
    assert (scores.nuclei, scores.classes, scores.percent) == (4, (1, 1, 1, 1), 75)
    assert scores.h_score == 150
    moved = staining.score(Thresholds(0.05, 0.95, 1.5))
    assert (moved.classes, moved.h_score) == ((0, 4, 0, 0), 100)
    tissue = staining.tissue_px
    assert 1600 < tissue < 40000
    assert scores.area_percent == pytest.approx(100 * 1200 / tissue)


def test_tables_contain_columns_and_thresholds(
    four: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    staining = measure_staining(four[0], 0.5, four[1])
    row = picture_row("Region 1", staining, Thresholds(0.2, 0.4, 0.6), "mask")
    named = dict(zip(COLUMNS, row, strict=True))
    assert (named["positive_percent"], named["h_score"], named["moderate_from_od"]) == (
        75,
        150,
        0.4,
    )
    nuclei = list(nuclei_rows(staining, Thresholds()))
    assert [one[3] for one in nuclei] == ["negative", "1+", "2+", "3+"]
    assert [one[:2] for one in nuclei] == [(n, 100.0) for n in (10, 20, 30, 40)]
    assert as_text(NUCLEI_COLUMNS, nuclei, "\t").splitlines()[0].split("\t")[2] == "dab_od"
    bare = picture_row("Region 1", measure_staining(four[0], 0.5), Thresholds(), "")
    assert as_text(COLUMNS, [bare]).splitlines()[1].startswith("Region 1,0.00")
    assert ",0,0,,,0,0,0,0," in as_text(COLUMNS, [bare])
    with pytest.raises(PixCellError, match=r"t.csv cannot be written .* Choose another folder"):
        write_table(tmp_path / "nowhere" / "t.csv", COLUMNS, [row])


def test_bands_and_sparse_labels_do_not_change_results(
    four: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = measure_staining(four[0], 0.5, four[1])
    monkeypatch.setattr("napari_pixcell.cells.ihc.measures.BAND", 64)
    parts = measure_staining(four[0], 0.5, four[1].astype(np.uint32) * 10_000_000)
    assert np.array_equal(whole.histogram, parts.histogram)
    assert np.allclose(whole.dab, parts.dab)
    assert parts.labels.tolist() == [n * 100_000_000 for n in (1, 2, 3, 4)]


def test_without_nuclei_there_is_no_percentage(four: tuple[np.ndarray, np.ndarray]) -> None:
    scores = measure_staining(four[0], 0.5, np.zeros_like(four[1])).score()
    assert scores.nuclei == 0
    assert np.isnan(scores.percent)
    assert np.isnan(scores.h_score)


@pytest.mark.parametrize(
    ("picture", "labels", "sentence"),
    [
        ((50, 50), (40, 50), "The mask of nuclei is 50 × 40 px but the image is 50 × 50 px"),
        ((50, 50), None, "There is no tissue to measure"),
    ],
)
def test_unmeasurable_images_are_explained(
    picture: tuple[int, int], labels: tuple[int, int] | None, sentence: str
) -> None:
    white = np.full((*picture, 3), 240, np.uint8)
    with pytest.raises(PixCellError, match=sentence):
        measure_staining(white, 0.5, None if labels is None else np.zeros(labels, np.int32))


def test_a_mask_of_fractions_is_refused() -> None:
    with pytest.raises(PixCellError, match="is not a label image"):
        measure_staining(np.full((50, 50, 3), 90, np.uint8), 0.5, np.zeros((50, 50)))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("0.4,0.2,0.6", "are not ascending. Choose ascending ones, such as 0.20, 0.40, 0.60"),
        ("0.2,0.2,0.6", "are not ascending"),
        ("0,0.2,0.6", "Choose densities from 0.01 to 3"),
        ("0.2,0.4,nan", "Choose densities from 0.01 to 3"),
        ("0.2;0.4", "is not three thresholds"),
    ],
)
def test_invalid_thresholds_are_explained(text: str, sentence: str) -> None:
    with pytest.raises(PixCellError, match=sentence):
        Thresholds.parse(text)


def test_h_and_e_gives_a_warning(shared_data: Path) -> None:
    slide = open_slide(shared_data / "openslide_os1_os2_crops/OS-1-detail.ome.tif")
    picture = slide.read(Region(0, 0, 1101, 1101), 1.0)
    assert measure_staining(picture, 1.0).warning.startswith("This looks like H&E")


@pytest.fixture(scope="module")
def ndpi(shared_data: Path) -> Field:
    return field(shared_data / "openslide_os1_os2_crops", "ndpi")


@pytest.fixture(scope="module")
def vsi(shared_data: Path) -> Field:
    return field(shared_data / "openslide_os1_os2_crops", "vsi")


def test_real_ki67_agrees_with_qupath(ndpi: Field, vsi: Field) -> None:
    for one in (ndpi, vsi):
        counts = [count for count, _ in one.qupath.values()]
        assert min(counts) < len(one.staining.labels) < max(counts)
        assert min(one.theirs(0.2)) - 1 < one.percent(0.2) < max(one.theirs(0.2)) + 1
        assert one.staining.look == "IHC"
    assert ndpi.percent(0.2) == pytest.approx(21.1, abs=1)
    assert vsi.percent(0.2) == pytest.approx(16.7, abs=1)


def test_a_threshold_of_one_scanner_is_off_by_five_points_on_the_other(
    ndpi: Field, vsi: Field
) -> None:
    chosen = threshold_for(ndpi, float(np.mean(ndpi.theirs(0.2))))
    assert vsi.percent(chosen) - np.mean(vsi.theirs(0.2)) == pytest.approx(-5.0, abs=1)


def test_two_scanners_call_the_same_nuclei_positive(ndpi: Field, vsi: Field) -> None:
    pairs = matched(ndpi, vsi)
    a, b = ndpi.staining.dab[pairs[:, 0]], vsi.staining.dab[pairs[:, 1]]
    assert len(pairs) > 700
    assert np.corrcoef(a, b)[0, 1] > 0.98
    assert kappa(a >= 0.2, b >= 0.2) > 0.9


def test_brown_nuclei_are_segmented(ndpi: Field) -> None:
    """Haematoxylin alone misses pale brown nuclei and leaves holes."""
    _, dab = stain_densities(ndpi.picture, white_of(ndpi.picture))
    brown = dab > 0.2
    blue_only = segment_nuclei(ndpi.picture, 0.5, brown=False)
    assert np.mean(ndpi.labels[brown] > 0) > 0.98
    assert np.mean(blue_only[brown] > 0) < 0.9


def test_h_and_e_segmentation_is_unchanged(shared_data: Path) -> None:
    slide = open_slide(shared_data / "openslide_os1_os2_crops/OS-1-detail.ome.tif")
    picture = slide.read(Region(0, 0, 1101, 1101), 0.5)
    assert np.array_equal(segment_nuclei(picture), segment_nuclei(picture, brown=False))


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx"])
def test_no_cell_of_a_table_is_a_formula(name: str) -> None:
    text = as_text(("name", "n"), [(name, -1.5)])
    assert next(csv.reader(io.StringIO(text.split("\n", 1)[1], newline=""))) == [f"'{name}", "-1.5"]
