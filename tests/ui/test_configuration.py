"""The plugin's page in napari's preferences, and ``preferences.json``."""

from __future__ import annotations

import pytest
from napari.settings import get_plugin_settings

from napari_pixcell.preferences import SLIDES_CACHE, idle_minutes, preference, set_preference
from napari_pixcell.ui import configuration


@pytest.fixture
def page():
    page = get_plugin_settings("napari-pixcell")
    kept = {(g, k): getattr(getattr(page, g), k) for g, k in configuration.NAMES}
    yield page
    for (group, key), value in kept.items():
        setattr(getattr(page, group), key, value)


def test_every_setting_has_a_title_and_a_description_on_the_page(page) -> None:
    for group, key in configuration.NAMES:
        field = type(getattr(page, group)).model_fields[key]
        assert field.title and field.description
    assert page.memory.slides_mb == SLIDES_CACHE.default


def test_a_change_on_the_page_reaches_worker_and_dock(page, ready) -> None:
    page.memory.idle_minutes = 7
    assert idle_minutes() == 7
    page.studio.previews = False
    assert ready.session.settings.previews is False and preference("previews") is False
    ready.close_session()
    page.memory.idle_minutes = 8
    assert idle_minutes() == 7  # the closed dock no longer listens


def test_the_page_shows_the_settings_of_the_file(page) -> None:
    set_preference("idle minutes", 3)
    set_preference("slides cache MB", -5)  # out of range
    applied = {}
    end = configuration.link(applied.__setitem__, pytest.fail)
    end()
    assert page.memory.idle_minutes == 3 and applied["idle minutes"] == 3
    assert page.memory.slides_mb == SLIDES_CACHE.default


def test_a_setting_that_cannot_be_saved_is_reported(page, ready, monkeypatch, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PIXCELL_CONFIG_DIR", str(tmp_path / "file"))
    page.memory.idle_minutes = 9
    assert "The setting cannot be saved" in ready.session.notices.problems["slide"]
