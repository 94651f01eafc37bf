"""Measuring IHC in a session: no Qt, no torch, no display."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scripted import ScriptedClient

from napari_pixcell.cells.ihc.measures import Thresholds
from napari_pixcell.slides import ArraySlide, open_slide
from napari_pixcell.studio.measures import FOUND, FROM_LAYOUT
from napari_pixcell.studio.session import Session


@pytest.fixture
def session(client: ScriptedClient, shared_data: Path) -> Iterator[Session]:
    """With a region of 128 µm on real Ki67."""
    slide = open_slide(shared_data / "openslide_os1_os2_crops" / "OS-2-ndpi.ome.tif")
    session = Session(client)
    session.slides.set(slide, "case 7")
    session.regions.add((1500, 900))
    session.wait()
    yield session
    session.close()


def measure(session: Session, result=None):
    before = len(session.measures.rows)
    session.measures.measure(result)
    session.wait()
    assert len(session.measures.rows) == before + 1, session.notices.problems
    return session.measures.rows[-1]


def test_tissue_without_a_layout_is_segmented_and_measured(session) -> None:
    row = measure(session)
    assert row.name == "Region 1 · tissue"
    assert row.nuclei_from == FOUND
    scores = row.scores
    assert 50 < scores.nuclei < 120
    assert 10 < scores.percent < 35
    assert 0 < row.staining.tissue_mm2 <= 0.128**2
    assert session.measures.chosen is row
    assert "measure" not in session.notices.problems


def test_the_nuclei_of_a_layout_are_captured_before_it_is_painted_on(session) -> None:
    item = session.regions.active
    labels = np.zeros(item.size, np.int32)
    labels[20:60, 20:60] = 7
    session.layouts.set(item.number, labels)
    session.measures.measure()
    labels[20:60, 60:100] = 9  # a stroke, while it is measured
    session.wait()
    row = session.measures.rows[0]
    assert row.nuclei_from == FROM_LAYOUT
    assert row.staining.labels.tolist() == [7]
    assert row.layout is labels


def test_a_variant_is_measured_by_its_own_layout(session, client) -> None:
    item = session.regions.active
    assert session.measures.why_not_variant() == "Show a variant of this region first"
    labels = np.zeros(item.size, np.int32)
    labels[20:60, 20:60] = 1
    session.layouts.set(item.number, labels)
    session.settings.count, session.settings.seed = 1, 100  # of dark grey
    session.generator.generate()
    session.wait(until=lambda: bool(client.waiting))
    client.play()
    session.wait()
    session.layouts.set(item.number, None)
    result = session.measures.seen_variant
    assert result is not None
    row = measure(session, result)
    assert row.name == "Synthetic · Region 1 · seed 100"
    assert row.nuclei_from == FROM_LAYOUT
    assert row.staining.labels.tolist() == [1]


def test_thresholds_apply_to_all_rows_and_push_one_another(session) -> None:
    first, second = measure(session), measure(session)
    measures = session.measures
    measures.choose(first)
    told = []
    measures.changed.connect(lambda: told.append(measures.thresholds))
    measures.move_threshold(0, 0.5)
    assert measures.thresholds == Thresholds(0.5, 0.51, 0.6) == measures.rows[1].thresholds
    assert measures.chosen is measures.rows[0]
    assert measures.rows[0].scores.percent < second.scores.percent
    assert measures.rows[0].staining is first.staining
    measures.move_threshold(2, 0.02)
    assert measures.thresholds == Thresholds(0.01, 0.02, 0.03)
    measures.move_threshold(0, 99)
    assert measures.thresholds == Thresholds(2.98, 2.99, 3)
    assert len(told) == 3


def test_rows_are_copied_saved_and_removed(session, tmp_path) -> None:
    row = measure(session)
    measures = session.measures
    header, line = measures.as_text([row]).splitlines()
    assert header.split("\t")[:2] == ["name", "tissue_mm2"]
    assert line.split("\t")[0] == "Region 1 · tissue"
    measures.save(tmp_path / "table.csv")
    measures.save_nuclei(tmp_path / "nuclei.csv", row)
    session.wait()
    with (tmp_path / "table.csv").open(encoding="utf-8") as file:
        (saved,) = csv.DictReader(file)
    with (tmp_path / "nuclei.csv").open(encoding="utf-8") as file:
        nuclei = list(csv.DictReader(file))
    assert int(saved["nuclei"]) == len(nuclei) == row.scores.nuclei
    assert int(saved["positive_nuclei"]) == sum(int(one["positive"]) for one in nuclei)
    assert float(saved["weak_from_od"]) == 0.2
    assert session.notices.notes["measure"] == "Saved nuclei.csv"
    measures.save(tmp_path / "nowhere" / "table.csv")
    session.wait()
    assert "table.csv cannot be written" in session.notices.problems["measure"]
    measures.remove(row)
    assert measures.rows == [] and measures.chosen is None


def test_tissue_that_is_not_ihc_is_reported(session, shared_data) -> None:
    session.slides.set(open_slide(shared_data / "openslide_os1_os2_crops/OS-1-detail.ome.tif"), "b")
    session.regions.add((500, 500))
    session.wait()
    measure(session)
    assert session.notices.problems["measure"].startswith("This looks like H&E")
    session.slides.set(ArraySlide([np.full((600, 600, 3), 245, np.uint8)], 0.5, "glass"), "c")
    session.regions.add((300, 300))
    session.wait()
    session.measures.measure()
    session.wait()
    assert session.notices.problems["measure"].startswith("There is no tissue to measure")
    assert len(session.measures.rows) == 1 and not session.measures.busy


def test_a_measurement_that_is_impossible_is_explained(session, monkeypatch) -> None:
    monkeypatch.setattr("napari_pixcell.studio.measures.LARGEST_SEARCH", 100**2)
    session.measures.measure()
    assert session.notices.problems["measure"] == (
        "The picture is larger than 100 × 100 px, the most that is measured at once. "
        "Choose a smaller region."
    )
    session.regions.remove(session.regions.active.number)
    assert session.measures.why_not().startswith("Add a region first")
    session.slides.set(None)
    assert session.measures.why_not().startswith("Open a slide")
    session.measures.measure()
    assert session.measures.rows == []
