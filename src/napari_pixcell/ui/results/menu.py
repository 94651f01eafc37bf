"""The context menu of variants."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFileDialog, QMenu, QWidget

from napari_pixcell.studio.results.results import Result
from napari_pixcell.studio.session import Session


def result_menu(parent: QWidget, session: Session, results: Sequence[Result]) -> QMenu:
    """Build the menu of the selected variants."""
    menu, gallery = QMenu(parent), session.gallery
    kept = all(result.starred for result in results)
    one, several = results[0], len(results) > 1
    count = f" {len(results)} variants" if several else ""
    star = "Remove star" if kept else f"Star{count}"
    menu.addAction(star, lambda: gallery.star(list(results), not kept))
    if not several:
        _add_single(menu, session, one)
    menu.addSeparator()
    menu.addAction(f"Discard{count}", lambda: gallery.discard(*results))
    return menu


def _add_single(menu: QMenu, session: Session, result: Result) -> None:
    settings, gallery, request = session.settings, session.gallery, result.record.request
    looked = gallery.looked
    if looked is not None and looked is not result and looked.target.number == result.target.number:
        menu.addAction("Swipe against visible variant", lambda: gallery.swipe_against(result))
    menu.addSeparator()
    menu.addAction("Use these settings", lambda: settings.use(request))
    menu.addAction("Use this seed", lambda: setattr(settings, "seed", result.seed))
    menu.addAction("Use as style", lambda: session.styles.add_variant(result))
    menu.addSeparator()
    clipboard = QGuiApplication.clipboard()
    if clipboard is not None:
        menu.addAction("Copy seed", lambda: clipboard.setText(str(result.seed)))
        menu.addAction("Copy record", lambda: clipboard.setText(record_text(session, result)))
    menu.addAction("Save image…", lambda: _save(menu.parentWidget(), session, result))


def record_text(session: Session, result: Result) -> str:
    """Return a variant's record as JSON, with the slide name used in exports."""
    record = result.named(session.exporter.name.strip() or "slide")
    return json.dumps(record.to_dict(), indent=1)


def _save(parent: QWidget | None, session: Session, result: Result) -> None:
    name, suffix = session.exporter.picture_name(result)
    kinds = f"{'OME-TIFF' if suffix != '.png' else 'PNG'} (*{suffix})"
    path, _ = QFileDialog.getSaveFileName(parent, "Save image", name, kinds)
    if path:
        session.exporter.save_picture(result, Path(path))
