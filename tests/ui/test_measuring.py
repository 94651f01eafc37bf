"""Measuring IHC in the window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication

from napari_pixcell.slides import ArraySlide, Region, open_slide
from napari_pixcell.ui.demo import click
from napari_pixcell.ui.layers.measured import COLOURS
from napari_pixcell.ui.results.measured_table import MeasuredTable


@pytest.fixture(scope="module")
def ki67(shared_data: Path) -> np.ndarray:
    slide = open_slide(shared_data / "openslide_os1_os2_crops" / "OS-2-ndpi.ome.tif")
    return slide.read(Region(1200, 600, 660, 660), 0.5)


@pytest.fixture
def section(studio, settle, ki67):
    """The Measure section, with a region on real Ki67 tissue."""
    studio.link.add_slide(ArraySlide([ki67], 0.5, "case 7"))
    studio.session.regions.add((140, 140))
    settle(studio)
    return studio.measure


def shown(section) -> list[str]:
    model = section.table.model()
    return [model.index(0, n).data() for n in range(model.columnCount())]


def test_nuclei_are_coloured_by_class_and_follow_the_sliders(
    section, studio, qtbot, settle
) -> None:
    measures = studio.session.measures
    studio.tabs.bring(section)
    assert section.header.isChecked() and section.isVisible()
    assert not section.variant_button.isEnabled()
    assert section.variant_button.toolTip().startswith("Show a variant of this region first\n")
    assert section.outcome.isHidden()
    click(section.tissue_button)
    settle(studio)

    row = measures.rows[0]
    before = shown(section)
    assert before[:2] == ["Region 1 · tissue", f"{row.scores.percent:.1f} %"]
    layer = studio.link.find("measured")
    region, (height, width) = row.place.region, layer.data.shape
    corners = [layer.data_to_world(at) for at in ((-0.5, -0.5), (height - 0.5, width - 0.5))]
    np.testing.assert_allclose(
        np.subtract(corners[1], corners[0]), (region.height * 0.5, region.width * 0.5)
    )
    classes = row.thresholds.classify(row.staining.dab)
    for grade, colour in enumerate(COLOURS):
        label = int(row.staining.labels[np.flatnonzero(classes == grade)[0]])
        rgb = np.round(255 * layer.colormap.map(label)[:3]).astype(int)
        assert "#{:02x}{:02x}{:02x}".format(*rgb) == colour
    features = layer.features.set_index("index")
    brownest = int(row.staining.labels[row.staining.dab.argmax()])
    assert features.loc[brownest, "positive"] and features.loc[brownest, "class"] == "3+"
    assert features.loc[brownest, "DAB OD"] == pytest.approx(row.staining.dab.max(), abs=1e-3)

    qtbot.wait(60)
    section.sliders[0].setValue(0.7)
    qtbot.wait(150)
    after = measures.rows[0].scores
    assert after.positive < row.scores.positive
    assert shown(section)[1] == f"{after.percent:.1f} %" != before[1]
    assert [round(slider.value(), 2) for slider in section.sliders] == [0.7, 0.71, 0.72]
    assert studio.link.find("measured").features["positive"].sum() == after.positive


def test_a_layout_s_layer_lists_the_dab_of_its_nuclei(section, studio, settle) -> None:
    session = studio.session
    session.segmentation.segment()
    settle(studio)
    session.measures.measure()
    settle(studio)
    layout = studio.link.find("layout", session.regions.active.number)
    assert list(layout.features.columns) == ["index", "DAB OD", "positive", "class"]
    assert len(layout.features) == session.regions.active.cells
    layout.visible = False
    session.layouts.set(session.regions.active.number, None)
    session.measures.measure()
    settle(studio)
    session.measures.choose(session.measures.rows[0])
    settle(studio)
    with_colours = studio.viewer.screenshot(canvas_only=True, flash=False)
    section.colours.setChecked(False)
    assert studio.link.find("measured") is None
    without = studio.viewer.screenshot(canvas_only=True, flash=False)
    assert (with_colours != without).any(axis=-1).mean() > 0.01
    section.colours.setChecked(True)
    studio.viewer.layers.remove(studio.link.find("measured"))
    settle(studio)
    assert not section.colours.isChecked()
    assert session.measures.rows


def test_measured_nuclei_are_shown_over_what_was_measured_only(
    section, studio, client, settle
) -> None:
    session, gallery = studio.session, studio.session.gallery
    session.settings.count = 2
    session.segmentation.segment()
    settle(studio)
    session.generator.generate()
    settle(studio)
    client.play()
    settle(studio)
    first, second = gallery.results
    assert any(result.shown for result in gallery.results)
    session.measures.measure()
    settle(studio)
    assert not any(result.shown for result in gallery.results)
    assert studio.link.find("measured").visible
    gallery.show(first)
    assert not studio.link.find("measured").visible
    first.memory[:] = session.regions.active.pixels  # the scripted worker makes no tissue
    session.measures.measure(first)
    settle(studio)
    assert studio.link.find("measured").visible and first.shown
    gallery.show(second)
    assert not studio.link.find("measured").visible
    gallery.show(first)
    assert studio.link.find("measured").visible
    gallery.peek(first.target.number)
    assert not studio.link.find("measured").visible
    gallery.peek(None)
    session.measures.show(session.measures.rows[0])
    settle(studio)
    assert studio.link.find("measured").visible and not first.shown


def test_rows_can_be_copied_saved_and_removed(
    section, studio, qtbot, settle, monkeypatch, tmp_path
) -> None:
    section.header.setChecked(True)
    studio.session.measures.measure()
    settle(studio)
    qtbot.keyClick(section.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    header, line = QGuiApplication.clipboard().text().splitlines()
    assert header.split("\t")[5] == "positive_percent"
    assert line.startswith("Region 1 · tissue\t")
    names = iter((tmp_path / "table", tmp_path / "nuclei.csv"))
    monkeypatch.setattr(
        "qtpy.QtWidgets.QFileDialog.getSaveFileName", lambda *_: (str(next(names)), "")
    )
    click(section.csv_button)
    click(section.nuclei_button)
    settle(studio)
    assert {path.name for path in tmp_path.iterdir()} == {"table.csv", "nuclei.csv"}
    qtbot.keyClick(section.table, Qt.Key.Key_Delete)
    settle(studio)
    assert studio.session.measures.rows == []
    assert section.outcome.isHidden()
    assert studio.link.find("measured") is None


@pytest.mark.parametrize("width", [300, 330, 700])
def test_the_columns_that_matter_are_in_view(section, studio, qtbot, settle, width: int) -> None:
    long = "Invasive margin of the second tumour, next to the vessel"
    studio.session.regions.rename(1, long)
    section.header.setChecked(True)
    click(section.tissue_button)
    settle(studio)
    table = MeasuredTable(studio.session.measures)
    qtbot.addWidget(table)
    table.setStyleSheet(studio.styleSheet())
    table.resize(width, 120)
    table.show()
    table.refresh()
    qtbot.wait(1)
    end = table.columnViewportPosition(3) + table.columnWidth(3)
    assert end <= table.viewport().width()
    for column in range(1, 4):
        header = table.horizontalHeader().sectionSizeHint(column)
        assert table.columnWidth(column) >= max(table.sizeHintForColumn(column), header)
    assert table.columnWidth(0) >= 64
    assert (table.columnWidth(0) < table.sizeHintForColumn(0)) == (width < 600)
    name, *others = table.rows.index(0, 0).data(Qt.ItemDataRole.ToolTipRole).splitlines()
    assert name == f"Image: {long} · tissue"
    assert [line.split(":")[0] for line in others[:3]] == ["Positive", "H-score", "Nuclei"]
