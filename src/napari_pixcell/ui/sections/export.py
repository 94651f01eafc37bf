"""The Export section: image–mask pairs on disk."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QLabel, QLineEdit

from napari_pixcell.studio.session import Session
from napari_pixcell.ui.bind import on_edit, set_quietly
from napari_pixcell.ui.sections.base import Section
from napari_pixcell.ui.widgets import Text, allow, button, check_box
from napari_pixcell.words import counted


class ExportSection(Section):
    """Asks for a name and a folder, and writes the variants there."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, "export", "Export")
        self.name = QLineEdit()
        self.name.setObjectName("export name")
        self.name.setToolTip(
            "Replaces the slide's name in file names and records. Remove anything that could"
            " identify a patient."
        )
        self.name.textEdited.connect(lambda text: setattr(session, "export_name", text))
        self.export_button = button(
            "Export variants…",
            "Write images/, masks/ and manifest.jsonl. Every file is marked as synthetic.",
            self.choose,
        )
        self.add(QLabel("Name"), self.name, self.export_button, stretch=1)
        self.kept_only = check_box("Kept variants only (★)", "Export only the variants you kept")
        on_edit(self.kept_only, self._choose_kept)
        self.hint = Text(small=True)
        self.content.addWidget(self.kept_only)
        self.content.addWidget(self.hint)

    def refresh(self) -> None:
        session, gallery = self.session, self.session.gallery
        if not self.name.hasFocus():
            set_quietly(self.name, session.exporter.name)
        results = gallery.to_export()
        self.kept_only.setVisible(bool(gallery.kept))
        set_quietly(self.kept_only, gallery.kept_only)
        alone = sum(result.record.request.layout is None for result in results)
        if session.exporter.busy:
            text = "Exporting…"
        elif not results:
            text = "Export variants…"
        else:
            kept = "kept " if all(result.starred for result in results) else ""
            text = f"Export {counted(len(results), kept + ('image' if alone else 'pair'))}…"
        self.export_button.setText(text)
        busy = "The export is running" if session.exporter.busy else ""
        allow(self.export_button, busy or ("" if results else "Generate variants first"))
        self.hint.say("Images generated without a layout have no mask." if alone else "")
        self.report(action="Choose another folder…" if self.problem_now() else "", act=self.choose)

    def _choose_kept(self, on: bool) -> None:
        self.session.gallery.kept_only = on
        self.refresh()

    def choose(self) -> None:
        """Ask for a folder and export into it."""
        folder = QFileDialog.getExistingDirectory(self, "Export to a folder")
        if folder:
            self.session.exporter.write_pairs(Path(folder))
