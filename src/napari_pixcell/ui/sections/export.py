"""The Export section: image–mask pairs on disk."""

from __future__ import annotations

from qtpy.QtWidgets import QLabel, QLineEdit

from napari_pixcell.engine.record import NEUTRAL
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.bind import on_edit, set_quietly
from napari_pixcell.ui.dialogs import ask_folder
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.sections.base import Section
from napari_pixcell.ui.widgets import allow, button, check_box
from napari_pixcell.words import counted


class ExportSection(Section):
    """Asks for a name and a folder, and writes the variants there."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, "export", "Export pairs")
        self.name = QLineEdit()
        self.name.setObjectName("export name")
        self.name.setToolTip(
            tr("Used in file names and records. Enter nothing that could identify a patient.")
        )
        self.name.setPlaceholderText(NEUTRAL)
        self.name.textEdited.connect(lambda text: setattr(session.exporter, "name", text))
        tip = "Write images/, masks/ and manifest.jsonl. Every file is marked as synthetic."
        self.export_button = button("Export variants…", tip, self.choose)
        self.add(QLabel(tr("Name")), self.name, stretch=1)
        self.stack(self.export_button)
        self.starred_only = check_box("Starred only (★)", "Export only the variants with a star")
        on_edit(self.starred_only, self._choose_starred)
        tip = "Remove nuclei from the masks that stayed partial or missing after the repair"
        self.drop_wrong = check_box("Drop wrong nuclei from masks", tip)
        on_edit(self.drop_wrong, lambda on: setattr(session.exporter, "drop_wrong", on))
        self.stack(self.starred_only, self.drop_wrong)

    def refresh(self) -> None:
        session, gallery = self.session, self.session.gallery
        if not self.name.hasFocus():
            set_quietly(self.name, session.exporter.name)
        results = gallery.to_export()
        self.starred_only.setVisible(bool(gallery.kept))
        set_quietly(self.starred_only, gallery.kept_only)
        compared = any(result.record.repair is not None for result in results)
        self.drop_wrong.setVisible(compared)
        set_quietly(self.drop_wrong, session.exporter.drop_wrong)
        alone = sum(result.record.request.layout is None for result in results)
        if session.exporter.busy:
            text = "Exporting…"
        elif not results:
            text = "Export variants…"
        else:
            starred = "starred " if all(result.starred for result in results) else ""
            text = f"Export {counted(len(results), starred + ('image' if alone else 'pair'))}…"
        self.export_button.setText(tr(text))
        allow(self.export_button, session.exporter.why_not())
        action = "Choose another folder…" if self.problem_now() else ""
        maskless = "Images generated without a layout have no mask." if alone else ""
        self.report(action=action, act=self.choose, state=maskless)

    def _choose_starred(self, on: bool) -> None:
        self.session.gallery.kept_only = on
        self.refresh()

    def choose(self) -> None:
        ask_folder(self, "Export to a folder", self.session.exporter.write_pairs)
