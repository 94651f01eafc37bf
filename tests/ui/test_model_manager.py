"""The model manager in a window, with a local hub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_hub import FakeHub
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_pixcell.models.catalogue import BUILT_IN
from napari_pixcell.models.families import get_family, weight_sets
from napari_pixcell.models.store import missing, weights_folder
from napari_pixcell.preferences import IDLE, idle_minutes
from napari_pixcell.ui.model_manager import ModelManager

LEFT = Qt.MouseButton.LeftButton
WHICH = "pixcell-256"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    repositories: dict[str, dict[str, bytes]] = {}
    for part in BUILT_IN[WHICH].parts:
        files = repositories.setdefault(part.hub_id, {"README.md": b"Only for research.\n"})
        files |= {file: f"{{{part.kind}}}".encode() * 1000 for file in part.files}
    hub = FakeHub(repositories)
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setattr("napari_pixcell.models.hub_file.FIRST_WAIT", 0.01)
    yield hub
    hub.close()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "weights"
    made.mkdir()
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(made))
    return made


@pytest.fixture
def manager(ready, qtbot) -> ModelManager:
    qtbot.wait(60)
    ready.actions.manage()
    return ready.actions.manager


def settle(manager: ModelManager, qtbot) -> None:
    qtbot.waitUntil(lambda: not manager.shelf.busy, timeout=30_000)
    qtbot.wait(60)


def test_every_family_is_listed_with_state_size_access_and_verdict(manager) -> None:
    table = manager.table
    rows = [
        [table.topLevelItem(i).text(column) for column in range(5)]
        for i in range(table.topLevelItemCount())
    ]
    titles = [weights.title for weights in weight_sets().values()]
    assert [row[0] for row in rows] == titles and titles[-1] == "Cellpose"
    bundled, rows = rows[:3], rows[3:]
    assert all(row[1] == "bundled" and row[4] == "runs anywhere" for row in bundled)
    assert all(row[1] == "not installed" for row in rows)
    assert [row[3] for row in rows] == ["on request"] * (len(rows) - 1) + ["open"]
    assert rows[0][2].endswith(" GB")
    assert manager.chosen.family.name == "demo"
    assert not manager.get_button.isEnabled() and not manager.remove_button.isEnabled()


def test_a_download_starts_only_after_agreement_to_size_and_licence(
    manager, hub, folder, qtbot
) -> None:
    manager.choose(WHICH)
    qtbot.mouseClick(manager.get_button, LEFT)
    assert manager.offering.isVisible()
    assert "CC BY-NC-ND" in manager.offer.text() and "GB" in manager.offer.text()
    assert missing(get_family(WHICH)) and not any(folder.rglob("*.*"))
    qtbot.mouseClick(manager.refuse_button, LEFT)
    assert not manager.offering.isVisible()
    qtbot.mouseClick(manager.get_button, LEFT)
    qtbot.mouseClick(manager.agree_button, LEFT)
    settle(manager, qtbot)
    assert not missing(get_family(WHICH))
    assert manager.note.text() == "PixCell-256 is installed."
    assert "Only for research." in manager.licence.toPlainText()
    assert manager.use_button.isEnabled()


def test_use_selects_the_model_in_the_studio(manager, hub, folder, qtbot, ready) -> None:
    manager.choose(WHICH)
    manager.shelf.get(WHICH)
    settle(manager, qtbot)
    qtbot.mouseClick(manager.use_button, LEFT)
    qtbot.wait(60)
    assert ready.session.settings.family == WHICH
    assert ready.header.model.currentText() == "PixCell-256"
    assert (
        "does not support layouts" in ready.layout_.state.text() or not ready.session.regions.active
    )


def test_an_unreachable_hub_is_reported(manager, hub, folder, qtbot) -> None:
    hub.close()
    manager.choose(WHICH)
    manager.shelf.get(WHICH)
    settle(manager, qtbot)
    assert manager.problem.isVisible() and "hub" in manager.problem.text().lower()
    assert missing(get_family(WHICH))


def test_a_missing_model_offers_the_model_manager(ready, qtbot) -> None:
    ready.session.settings.use_family(WHICH)
    qtbot.wait(60)
    assert ready.footer.problem.text() == "PixCell-256 is not installed."
    assert ready.footer.generate_button.text() == "PixCell-256 is not installed"
    qtbot.mouseClick(ready.footer.action, LEFT)
    assert ready.actions.manager.isVisible()
    assert ready.actions.manager.chosen.family.name == WHICH
    ready.actions.manager.close()


def test_weights_can_be_exported_removed_and_located(
    manager, hub, folder, qtbot, tmp_path, monkeypatch
) -> None:
    manager.shelf.get(WHICH)
    settle(manager, qtbot)
    away = tmp_path / "stick"
    away.mkdir()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(away))
    manager.choose(WHICH)
    qtbot.mouseClick(manager.export_button, LEFT)
    settle(manager, qtbot)
    assert "was copied" in manager.note.text() and (away / "manifest.json").exists()
    qtbot.mouseClick(manager.remove_button, LEFT)
    settle(manager, qtbot)
    assert missing(get_family(WHICH))
    monkeypatch.delenv("PIXCELL_WEIGHTS")
    qtbot.mouseClick(manager.locate_button, LEFT)
    settle(manager, qtbot)
    assert weights_folder() == away
    assert not missing(get_family(WHICH))


def test_the_time_until_a_model_is_unloaded_is_saved(manager) -> None:
    assert manager.idle.value() == IDLE.default
    manager.idle.setValue(5)
    assert idle_minutes() == 5
    manager.idle.setValue(0)
    assert idle_minutes() == 0
    assert "never" in manager.idle.text()


def test_a_time_that_cannot_be_saved_is_reported(manager, tmp_path, monkeypatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("PIXCELL_CONFIG_DIR", str(tmp_path / "file" / "below"))
    manager.idle.setValue(7)
    assert "The setting cannot be saved" in manager.problem.text()


def test_files_in_cellpose_s_own_folder_are_not_removed(
    manager, qtbot, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path))
    weights = tmp_path / "cpsam_v2"
    weights.write_bytes(b"theirs")
    manager.refresh()
    manager.choose("cellpose")
    qtbot.mouseClick(manager.remove_button, LEFT)
    settle(manager, qtbot)
    assert weights.exists()
    assert "stays: its files are in a folder of your own" in manager.note.text()
