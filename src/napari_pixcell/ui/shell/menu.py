"""The menu of the studio: slides, sessions, models and preferences."""

from __future__ import annotations

from functools import partial

from qtpy.QtWidgets import QMenu, QWidget

from napari_pixcell.studio.saving.places import day
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.key_table import KEYS, key_list, show_words
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.shell.preferences import open_preferences
from napari_pixcell.ui.slide_actions import SlideActions


class StudioMenu(QMenu):
    """What is needed now and then, and has no place in the tabs."""

    def __init__(self, session: Session, actions: SlideActions, parent: QWidget) -> None:
        super().__init__(parent)
        self.session = session
        self.setToolTipsVisible(True)
        self.open_slide_action = self.addAction(tr("Open slide…"), actions.choose)
        self.zarr_action = self.addAction(tr("Open OME-Zarr folder…"), actions.choose_zarr)
        self.address_action = self.addAction(tr("Open slide at an address…"), actions.ask_address)
        self.sample_action = self.addAction(tr("Open the sample"), actions.sample)
        self.mpp_action = self.addAction(tr("Correct the pixel size…"), actions.correct_mpp)
        self.features_action = self.addAction(tr("Open features…"), actions.choose_features)
        self.features_action.setToolTip(
            tr("Take styles from patches that TRIDENT or CLAM embedded")
        )
        self.addSeparator()
        self.open_action = self.addAction(tr("Open session…"), actions.open_session)
        self.earlier = self.addMenu(tr("Earlier sessions of this slide"))
        self.save_action = self.addAction(tr("Save session as…"), actions.save_session_as)
        self.this_action = self.addAction(tr("Save work on this slide automatically"))
        self.this_action.setCheckable(True)
        self.this_action.triggered.connect(session.saver.switch)
        self.drop_action = self.addAction(tr("Discard restored jobs"), session.queue.drop_put_off)
        self.addSeparator()
        self.models_action = self.addAction(tr("Models…"), lambda: actions.manage())
        self.preferences_action = self.addAction(
            tr("Memory and preferences…"), lambda: open_preferences(session, actions.parent)
        )
        self.keys_action = self.addAction(
            tr(f"{KEYS}…"), lambda: show_words(actions.parent.window(), KEYS, key_list())
        )
        self.aboutToShow.connect(self.refresh)

    def refresh(self) -> None:
        session = self.session
        book = session.saver.book()
        there = session.slides.current is not None and book is not None
        self.mpp_action.setEnabled(session.slides.current is not None)
        self.save_action.setEnabled(there)
        self.save_action.setToolTip(tr(session.saver.where()))
        self.this_action.setEnabled(there)
        self.this_action.setChecked(session.saver.on and (book is None or not book.off))
        self.earlier.clear()
        for one in session.saver.offers:
            words = f"{day(one.saved)}: {one.contents()}"
            self.earlier.addAction(tr(words), partial(session.restoring.open, one.path))
        self.earlier.menuAction().setVisible(bool(session.saver.offers))
        self.drop_action.setVisible(bool(session.queue.put_off))
