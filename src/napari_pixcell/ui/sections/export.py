"""Image–mask pairs on disk."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QCheckBox, QFileDialog, QLabel, QLineEdit

from napari_pixcell.studio.session import Session
from napari_pixcell.ui.widgets import Section, Text, allow, button


class ExportSection(Section):
    """Asks for a name and a folder, and writes what the Results section holds."""

    def __init__(self, session: Session) -> None:
        super().__init__("export", "Export")
        self.session = session
        self.name = QLineEdit()
        self.name.setObjectName("export name")
        self.name.setToolTip(
            "Stands in file names and records in place of the slide's; take out what could"
            " identify a patient"
        )
        self.name.textEdited.connect(lambda text: setattr(session, "export_name", text))
        self.export_button = button(
            "Export",
            "Writes images/, masks/ and manifest.jsonl; every file is marked as synthetic",
            self.choose,
        )
        line = self.add(QLabel("Name"), self.name, self.export_button)
        line.setStretch(1, 1)
        self.kept_only = QCheckBox("Kept variants only (★)")
        self.kept_only.setToolTip("Leaves out what you did not keep")
        self.kept_only.toggled.connect(self._choose_kept)
        self.content.addWidget(self.kept_only)
        self.hint = Text(small=True)
        self.content.addWidget(self.hint)
        self.finish()

    def refresh(self) -> None:
        """Show the session's state."""
        session = self.session
        if self.name.text() != session.export_name and not self.name.hasFocus():
            self.name.setText(session.export_name)
            self.name.setCursorPosition(0)
        gallery = session.gallery
        results = gallery.to_export()
        self.kept_only.setVisible(bool(gallery.kept))
        with QSignalBlocker(self.kept_only):
            self.kept_only.setChecked(gallery.kept_only)
        pairs = sum(r.record.request.layout is not None for r in results)
        alone = len(results) - pairs
        if session.exporting:
            text = "Exporting…"
        elif not results:
            text = "Nothing to export yet"
        else:
            kept = "kept " if all(result.starred for result in results) else ""
            text = f"Export {_count(len(results), kept + ('image' if alone else 'pair'))}…"
        self.export_button.setText(text)
        busy = "It is being exported" if session.exporting else ""
        allow(self.export_button, busy or ("" if results else "Generate variants first"))
        self.hint.say("Images made without a layout have no mask." if alone else "")
        problem, note = session.problems.get("export", ""), session.notes.get("export", "")
        self.tell(problem, note, "Choose another folder…" if problem else "", self.choose)

    def _choose_kept(self, on: bool) -> None:
        self.session.gallery.kept_only = on
        self.refresh()

    def choose(self) -> None:
        """Ask for a folder and export into it."""
        folder = QFileDialog.getExistingDirectory(self, "Export to a folder")
        if folder:
            self.session.export(Path(folder))


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
