"""Virtual stains in the window."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import napari
import numpy as np
import pytest
from PIL import Image
from qtpy.QtWidgets import QApplication

from napari_pixcell.engine.training.new_requests import stain_training
from napari_pixcell.models.catalogue import DEMO_FOLDER
from napari_pixcell.models.own_families import families_folder
from napari_pixcell.slides import Region, open_slide
from napari_pixcell.slides.samples import SAMPLE_SLIDE
from napari_pixcell.ui.demo import click
from napari_pixcell.ui.results.sheet_window import SheetWindow

OWN = {kind: DEMO_FOLDER / "stain" / f"{kind}.safetensors" for kind in ("lora", "flow")}


def write_own_stain(name: str, title: str) -> None:
    """Install the demo's stain as one of the user's own, without its decoder."""
    families_folder().mkdir(parents=True, exist_ok=True)
    parts = (f'[{kind}]\nfile = "{path.as_posix()}"\n' for kind, path in OWN.items())
    text = f'base = "demo"\ntitle = "Virtual {title}"\n'
    (families_folder() / f"{name}.toml").write_text(text + "".join(parts))


def pretend(*names: str) -> None:
    """Install stains of the demo family whose files are empty."""
    folder = families_folder()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weights").touch()
    parts = "".join(f'[{kind}]\nfile = "weights"\n' for kind in ("lora", "flow"))
    for name in names:
        (folder / f"{name}.toml").write_text(f'base = "demo"\ntitle = "{name}"\n{parts}')


def test_the_section_offers_stains_when_none_is_installed(ready, monkeypatch, press) -> None:
    section = ready.stain
    monkeypatch.setattr(type(ready.session.staining), "installed", [])
    ready.refresh()
    ready.tabs.bring(section.nothing)
    assert section.nothing.isVisible() and not section.stain_button.isVisible()
    assert not section.some.isVisible() and not section.state.isVisible()
    press(section.get_button)
    assert ready.actions.manager.isVisible()
    ready.actions.manager.close()


def test_stains_are_generated_kept_and_compared(ready, client, settle, press) -> None:
    pretend("HER2x", "Ki67x")
    session, section = ready.session, ready.stain
    session.models.check()
    settle(ready)
    assert section.stain_button.text() == "Add a region first"
    press(ready.region.add_button)
    assert section.stain_button.text() == "Select a stain"
    assert not section.boxes["stain-her2"].isEnabled()
    assert "needs its base" in section.boxes["stain-her2"].toolTip()
    for name in ("HER2x", "Ki67x"):
        press(section.boxes[name])
    assert section.stain_button.text() == "Generate 2 stains"
    assert "Most cells stay" in section.state.text()
    section.strength.setValue(0.3)
    section.start_from.setCurrentIndex(section.start_from.findData("noise"))
    section.start_from.activated.emit(2)
    settle(ready)
    assert "not in the same positions" in section.state.text() and not section.slide_row.isVisible()
    section.start_from.setCurrentIndex(0)
    section.start_from.activated.emit(0)
    settle(ready)
    press(section.stain_button)
    request = client.waiting[0][0]
    assert (request.family, request.strength, request.invert) == ("HER2x", 0.3, True)
    for _ in range(2):
        client.play()
        settle(ready)
    assert section.star_button.text() == "Star 2"
    press(section.star_button)
    names = [layer.name for layer in ready.viewer.layers]
    assert {f"Synthetic {n} · Region 1 · seed 1234" for n in ("HER2x", "Ki67x")} <= set(names)
    press(section.sheet_button)
    (sheet,) = (w for w in QApplication.topLevelWidgets() if isinstance(w, SheetWindow))
    assert "virtual HER2x, Ki67x" in sheet.windowTitle() and not session.notices.problems
    sheet.close()
    assert ready.minimumSizeHint().width() <= 360


def test_a_region_that_is_too_small_is_enlarged_by_a_button(
    ready, settle, monkeypatch, tmp_path, press
) -> None:
    from napari_pixcell.models.families import get_family

    for part in get_family("stain-er").parts:
        for file in part.files:
            path = tmp_path / part.hub_id / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(tmp_path))
    from napari_pixcell.slides import ArraySlide

    ready.link.add_slide(ArraySlide([np.full((1300, 1300, 3), 200, np.uint8)], 0.5, "large"))
    ready.session.models.check()
    press(ready.region.add_button)
    ready.stain.boxes["stain-er"].click()
    settle(ready)
    assert "ER needs 477 µm or more" in ready.stain.problem.text()
    assert not ready.stain.stain_button.isEnabled()
    press(ready.stain.enlarge_button)
    assert ready.session.regions.active.size == (954, 954)
    assert ready.stain.stain_button.isEnabled() and not ready.stain.problem.text()


@pytest.mark.usefixtures("one_worker")
def test_the_real_worker_trains_a_stain_and_stains_a_region(
    viewer: napari.Viewer, qtbot, tmp_path: Path, monkeypatch
) -> None:
    write_own_stain("mine", "Mine")
    picture = open_slide(SAMPLE_SLIDE).read(Region(300, 300, 1024, 1024), 0.5)
    fewer = partial(stain_training, steps=50)
    monkeypatch.setattr("napari_pixcell.studio.stains.training.stain_training", fewer)
    _, studio = viewer.window.add_plugin_dock_widget("napari-pixcell", "PixCell studio")
    session, section = studio.session, studio.stain
    studio.actions.open(SAMPLE_SLIDE)
    qtbot.waitUntil(lambda: session.slides.ready, timeout=60_000)
    qtbot.wait(60)
    click(studio.region.add_button)
    section.train_button.click()
    session.training.set(name="other", base="demo")
    for side, pixels in (("he", picture), ("ihc", picture[..., ::-1])):
        (tmp_path / side).mkdir()
        Image.fromarray(pixels).save(tmp_path / side / "1.png")
        session.training.choose_folder(side, tmp_path / side)
    qtbot.waitUntil(lambda: not session.busy, timeout=300_000)
    qtbot.wait(60)
    click(section.training.train_button)
    section.training.close()  # the training goes on
    qtbot.waitUntil(lambda: not session.busy, timeout=300_000)
    assert (
        not session.notices.problems
        and "“other” was trained on 12 tiles" in session.notices.notes["stain"]
    )
    qtbot.wait(60)
    assert section.boxes["other"].isChecked()
    section.boxes["mine"].click()
    session.settings.stain_strength = 0.1
    qtbot.wait(60)
    click(section.stain_button)
    qtbot.waitUntil(lambda: not session.busy, timeout=300_000)
    assert not session.notices.problems
    first, second = session.gallery.results
    assert (first.label, second.label) == ("Mine", "other")
    assert first.record.weights["transformer"] == second.record.weights["transformer"]
    assert "lora" in first.record.weights and "lora" not in second.record.weights
    assert first.record.weights["flow"] != second.record.weights["flow"]
    assert second.record.notice.startswith("DEMO: a virtual stain trained by its user")
    assert (first.image != second.image).any()
    away = np.abs(first.image.astype(float) - session.regions.active.pixels).mean()
    assert 0 < away < 25
    studio.close_session()
