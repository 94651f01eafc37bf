"""Dialogs that ask for a path or a name, and call a function with the answer unless cancelled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QInputDialog, QMessageBox, QWidget

from napari_pixcell.ui.language import tr


def ask_folder(parent: QWidget, title: str, act: Callable[[Path], Any], near: str = "") -> None:
    """Ask for a folder."""
    _pass(QFileDialog.getExistingDirectory(parent, tr(title), near), act)


def ask_new_folder(parent: QWidget, title: str, near: str, act: Callable[[Path], Any]) -> None:
    """Ask for a folder that need not exist; ``near`` is its suggested path."""
    options = QFileDialog.Option.DontConfirmOverwrite | QFileDialog.Option.ShowDirsOnly
    title, kinds = tr(title), "Folders (*)"
    _pass(QFileDialog.getSaveFileName(parent, title, near, kinds, options=options)[0], act)


def ask_file(
    parent: QWidget | None, title: str, kinds: str, act: Callable[[Path], Any], near: str = ""
) -> None:
    """Ask for a file to open."""
    _pass(QFileDialog.getOpenFileName(parent, tr(title), near, kinds)[0], act)


def ask_target(
    parent: QWidget | None, title: str, near: str, kinds: str, act: Callable[[Path], Any]
) -> None:
    """Ask for a file to write; ``near`` is its suggested path."""
    _pass(QFileDialog.getSaveFileName(parent, tr(title), near, kinds)[0], act)


def ask_name(parent: QWidget, title: str, name: str, act: Callable[[str], Any]) -> None:
    """Ask for a name; ``name`` is the suggestion."""
    text, given = QInputDialog.getText(parent, tr(title), tr("Name"), text=name)
    if given:
        act(text)


def ask_number(
    parent: QWidget,
    title: str,
    words: str,
    value: float,
    limits: tuple[float, float],
    act: Callable[[float], Any],
) -> None:
    """Ask for a number with four decimals; ``value`` is the suggestion."""
    number, given = QInputDialog.getDouble(parent, tr(title), tr(words), value, *limits, 4)
    if given:
        act(number)


def ask_yes(parent: QWidget, title: str, words: str, button: str, act: Callable[[], Any]) -> None:
    """Ask whether to act; ``button`` is the text of the button that does."""
    icon, role = QMessageBox.Icon.Question, QMessageBox.ButtonRole.AcceptRole
    box = QMessageBox(icon, tr(title), tr(words), QMessageBox.StandardButton.Cancel, parent)
    yes = box.addButton(tr(button), role)
    box.buttonClicked.connect(lambda clicked: act() if clicked is yes else None)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.open()


def _pass(path: str, act: Callable[[Path], Any]) -> None:
    if path:
        act(Path(path))
