"""A file of features by hand: patches are clicked on the slide and in the list."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from feature_files import features_of
from hand import Hand
from qtpy.QtWidgets import QFileDialog

from napari_pixcell.engine.styles.features.writing import write_features
from napari_pixcell.models.families import get_family
from napari_pixcell.slides import Region
from napari_pixcell.ui.layers.features import CHOSEN


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that the dialog finds: features of the first 768 px of the slide."""
    found = tmp_path / "case 7.h5"
    values = features_of(9, 128).reshape(3, 3, 128)
    write_features(found, values, Region(0, 0, 768, 768), ((800, 800), 0.5), get_family("demo"))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: (str(found), ""))
    return found


def test_patches_are_clicked_on_the_slide_and_in_the_list(
    ready, client, hand: Hand, press_on, settle, path: Path, monkeypatch
) -> None:
    session, style = ready.session, ready.style_
    press_on(ready, ready.region.add_button)
    client.requests.clear()
    # The menu is a loop of its own, in which a test cannot click.
    menu = style.menu()
    next(a for a in menu.actions() if a.text() == "Add styles from features…").trigger()
    settle(ready)
    layer, slide = ready.link.find("features"), ready.link.slide_layer
    ready.viewer.reset_view()  # all patches
    settle(ready)
    hand.click(slide.data_to_world((640, 384)))
    settle(ready)
    assert style.choice.currentText() == "Patch 7"
    assert np.argwhere(layer.data == CHOSEN).tolist() == [[2, 1]]

    hand.drag(slide.data_to_world((200, 200)), slide.data_to_world((300, 300)))
    settle(ready)
    assert style.choice.currentText() == "Patch 7"  # the view was dragged

    press_on(ready, ready.region.add_button)  # selects the layer of the regions
    press_on(ready, style.features.pick_button)
    ready.viewer.reset_view()
    settle(ready)
    hand.click(slide.data_to_world((128, 640)))
    settle(ready)
    assert style.choice.currentText() == "Patch 2"
    assert session.regions.active.name == "Region 2"

    press_on(ready, style.features.list_button)
    window = style.features._list
    hand.click(window.filter)
    hand.type("5")
    settle(ready)
    assert window.patch == 5
    hand.click(window.use_button)
    settle(ready)
    assert style.choice.currentText() == "Patch 5"
    hand.click(window.close_button)
    settle(ready)
    assert not window.isVisible()

    press_on(ready, style.features.close_button)
    assert ready.link.find("features") is None and not style.features.isVisible()
    assert style.choice.currentText() == "Patch 5"
