"""Commands in napari's palette press the buttons of the studio, or say why they cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
from napari._app_model import get_app_model
from npe2 import PluginManifest
from qtpy.QtWidgets import QFileDialog, QInputDialog

import napari_pixcell
from napari_pixcell.ui import commands
from napari_pixcell.ui.dock import PixCellStudio
from napari_pixcell.ui.key_table import key_list
from napari_pixcell.ui.layers.layer_keys import TOOL_NAMES

MANIFEST = PluginManifest.from_file(Path(napari_pixcell.__file__).parent / "napari.yaml")
ACTIONS = {
    command.id.removeprefix("napari-pixcell."): command
    for command in MANIFEST.contributions.commands
    if command.python_name.startswith("napari_pixcell.ui.commands:")
}


def run(command: str) -> None:
    get_app_model().commands.execute_command(f"napari-pixcell.{command}").result()


def test_the_manifest_lists_every_command_under_its_title(viewer) -> None:
    titles = {name: title for name, (title, _) in commands.COMMANDS.items()}
    assert {name: command.title for name, command in ACTIONS.items()} == titles
    for name, command in ACTIONS.items():
        assert command.python_name == f"napari_pixcell.ui.commands:{name}"
        assert callable(getattr(commands, name))
    palette = {item.command.id for item in get_app_model().menus.get_menu("_command_pallet_")}
    assert {f"napari-pixcell.{name}" for name in titles} <= palette


def test_menus_show_their_commands_in_submenus_of_the_studio(viewer) -> None:
    menus = get_app_model().menus
    for menu, commands_of in (
        ("napari/file/io_utilities", "files"),
        ("napari/file/new_layer", "new_layer"),
        *((f"napari/layers/{one}", one) for one in ("annotate", "segment", "visualize", "measure")),
    ):
        inner = [item.submenu for item in menus.get_menu(menu) if hasattr(item, "submenu")]
        assert f"napari-pixcell/{commands_of}" in inner
        items = menus.get_menu(f"napari-pixcell/{commands_of}")
        assert items and {item.command.id for item in items} <= {
            f"napari-pixcell.{name}" for name in ACTIONS
        }


def test_each_tool_has_a_command_and_a_key_in_the_words_of_the_toolbar(ready) -> None:
    for name, button in ready.layout_.tools.buttons.items():
        assert ACTIONS[name].title.startswith(f"{button.text()}: ")
        if name != "select":
            assert f"<td>{ACTIONS[name].title}" in key_list()
            assert TOOL_NAMES[name] == button.text()


def test_only_commands_are_made_from_the_table() -> None:
    with pytest.raises(AttributeError, match="no attribute 'unknown'"):
        _ = commands.unknown


def test_the_first_command_opens_the_studio_and_none_fails_without_a_slide(
    viewer, qtbot, monkeypatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: ("", ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: ("", ""))
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: ("", False))
    for command in ACTIONS:
        run(command)
    qtbot.wait(60)
    (studio,) = (w for w in viewer.window.dock_widgets.values() if isinstance(w, PixCellStudio))
    assert studio.isVisible() and not studio.session.busy
    if studio.actions.manager is not None:
        studio.actions.manager.close()
    studio.close_session()


def test_a_command_activates_each_tool(ready, viewer, settle) -> None:
    run("new_region")
    settle(ready)
    run("paint")
    settle(ready)
    for name in ready.layout_.tools.buttons:
        if name != ready.link.tools.tool:
            run(name)
        settle(ready)
        assert ready.link.tools.tool == name


def test_commands_alone_cover_the_main_workflow(ready, viewer, client, settle) -> None:
    run("new_region")
    settle(ready)
    run("segment")
    settle(ready)
    assert ready.session.regions.active.cells
    run("generate")
    settle(ready)
    client.play()
    settle(ready)
    gallery = ready.session.gallery
    assert len(gallery.results) == 4
    run("keep")
    assert gallery.kept == gallery.results[:1]
    run("hide_variants")
    assert not any(result.shown for result in gallery.results)
    gallery.show(gallery.results[1])
    run("swipe")
    assert gallery.swipe.on
    run("discard")
    assert len(gallery.results) == 3
    run("undo_discard")
    assert len(gallery.results) == 4
    run("generate")
    run("generate")
    settle(ready)
    run("cancel_all")
    settle(ready)
    assert not ready.session.queue.jobs


def test_a_disabled_command_says_why(ready, viewer) -> None:
    run("generate")
    assert "Add a region first" in viewer.status
