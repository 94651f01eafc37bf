"""Measuring IHC on the command line."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from napari_pixcell.cells import write_labels
from napari_pixcell.cli.main import main

REGION = "600,600,1128,1128"


@pytest.fixture
def ki67(shared_data: Path) -> Path:
    return shared_data / "openslide_os1_os2_crops" / "OS-2-ndpi.ome.tif"


def test_a_region_is_measured_again_from_its_mask(run, ki67, tmp_path) -> None:
    files = [tmp_path / name for name in ("table.csv", "nuclei.csv", "mask.tif")]
    first = run(
        "measure",
        ki67,
        "--region",
        REGION,
        "--out",
        files[0],
        "--nuclei",
        files[1],
        "--mask",
        files[2],
    )
    assert first["code"] == 0 and first["nuclei_from"] == "found in it"
    assert 10 < first["positive_percent"] < 35 and not first["warning"]
    with files[0].open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert float(row["h_score"]) == first["h_score"]
    with files[1].open(encoding="utf-8") as file:
        nuclei = list(csv.DictReader(file))
    assert sum(one["class"] == "3+" for one in nuclei) == first["3+"]
    again = run(
        "measure",
        ki67,
        "--region",
        REGION,
        "--layout",
        files[2],
        "--thresholds",
        "0.3,0.5,0.7",
        "--name",
        "A",
    )
    assert (again["name"], again["nuclei_from"]) == ("A", "its layout")
    assert again["nuclei"] == first["nuclei"]
    assert again["positive_percent"] < first["positive_percent"]


def test_a_whole_image_is_measured_with_a_warning_for_h_and_e(
    shared_data, capsys, tmp_path
) -> None:
    picture = shared_data / "skimage_skin" / "skin.tif"
    assert main(["measure", str(picture), "--name", "skin"]) == 0
    out, err = capsys.readouterr()
    assert "states no pixel size; 0.5 µm/px is assumed" in err
    assert "This looks like H&E" in err
    assert "positive_area_percent: " in out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--thresholds", "0.6,0.4,0.2"], "are not ascending. Choose ascending ones"),
        (["--out", "nowhere/t.csv"], "The folder for t.csv does not exist"),
        (
            ["--region", REGION, "--layout", "other.tif"],
            "The layout is 50 × 50 px but the region needs",
        ),
    ],
)
def test_an_impossible_measurement_is_refused(
    run, ki67, tmp_path, monkeypatch, options, words
) -> None:
    monkeypatch.chdir(tmp_path)
    write_labels(tmp_path / "other.tif", np.eye(50, dtype=np.uint16), 0.5)
    found = run("measure", ki67, *options)
    assert found["code"] == 1
    assert words in found["error"]
