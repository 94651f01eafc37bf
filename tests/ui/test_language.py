"""The window in German, as proof that all of its texts can be translated."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from fitting import text_of, text_widgets, truncated_texts
from pictures import tissue
from qtpy.QtCore import QCoreApplication, QTranslator
from qtpy.QtWidgets import QPushButton

from napari_pixcell.preferences import set_preference
from napari_pixcell.slides import ArraySlide
from napari_pixcell.ui import language
from napari_pixcell.ui.dock import PixCellStudio
from napari_pixcell.ui.language import CONTEXT, ENGLISH, FOLDER, LANGUAGES, PLACE, tr
from napari_pixcell.ui.model_manager import ModelManager

SCREEN = 1366, 768
# Names of formats, markers and models, and an example of a file name.
NAMES = {
    *("COCO", "DEMO", "Demo Ki67", "HER2", "HER2Match", "Hugging Face imagefolder", "OME-Zarr 0.5"),
    *("QuPath", "QuPath project", "SpatialData", "WebDataset", "YOLO segmentation"),
    *("my-cells", "my-her2"),
}


@pytest.fixture
def german(qapp):
    """The German language, without a window."""
    language.use_language("de")
    yield
    language.use_language(ENGLISH)


@pytest.fixture
def in_german(german, viewer, client, settle):
    """The studio in German."""
    set_preference("language", "de")
    viewer.window.resize(*SCREEN)
    studio = PixCellStudio(viewer, client)
    viewer.window.add_dock_widget(studio, name="PixCell studio")
    settle(studio)
    return studio


def messages(code: str) -> dict[str, str]:
    found = ElementTree.parse(FOLDER / f"{code}.ts").iter("message")
    return {one.findtext("source", ""): one.findtext("translation") or "" for one in found}


def test_texts_are_english_by_default(studio) -> None:
    assert studio.footer.guide_button.text() == "Open a slide…"
    assert not language.missing


def test_an_unknown_language_is_english(studio) -> None:
    set_preference("language", "xx")
    assert language.wanted_language() == ENGLISH


def test_the_window_speaks_german(in_german, client, settle, press) -> None:
    studio = in_german
    assert studio.footer.guide_button.text() == "Schnitt öffnen…"
    studio.link.add_slide(ArraySlide([tissue(800)], 0.5, "case 7"))
    settle(studio)
    for _ in range(2):
        press(studio.footer.guide_button)
    assert studio.footer.generate_button.text() == "4 Varianten erzeugen"
    press(studio.footer.generate_button)
    client.play()
    settle(studio)
    cut = []
    for section in studio.sections:
        section.header.setChecked(True)
    for index, page in enumerate(studio.tabs.pages):
        studio.tabs.setCurrentIndex(index)
        settle(studio)
        assert page.widget().minimumSizeHint().width() <= page.viewport().width()
        cut += truncated_texts(studio)
    model = studio.header.model.currentText()  # shortened on purpose
    assert not [line for line in cut if not line.startswith(repr(model))]
    assert len(list(text_widgets(studio))) > 20
    assert not sorted(language.missing - NAMES), sorted(language.missing - NAMES)


def test_dialogs_speak_german(in_german) -> None:
    manager = ModelManager(in_german.session, in_german)
    manager.show()
    texts = {text_of(one) for one in text_widgets(manager) if isinstance(one, QPushButton)}
    manager.close()
    assert "Überprüfen…" in texts
    assert not sorted(language.missing - NAMES), sorted(language.missing - NAMES)


@pytest.mark.parametrize(
    ("english", "translated"),
    [
        ("Generate 4 variants", "4 Varianten erzeugen"),
        ("Add a region first.", "Fügen Sie zuerst eine Region hinzu."),
        ("3 variants · 2 regions", "3 Varianten · 2 Regionen"),
        ("Rename “Generate”…", "„Generate“ umbenennen…"),
        ("✓ embedded (1 tile)", "✓ eingebettet (1 Kachel)"),
        ("Embed Region 2 first", "Betten Sie zuerst Region 2 ein"),
        ("1,234 px", "1,234 px"),
    ],
)
def test_sentences_are_translated_whole(german, english: str, translated: str) -> None:
    assert tr(english) == translated
    assert not language.missing


def test_what_has_no_translation_stays_and_is_noted(german) -> None:
    assert tr("A sentence that nobody wrote.") == "A sentence that nobody wrote."
    assert language.missing == {"A sentence that nobody wrote."}


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != ENGLISH])
def test_translations_have_the_places_of_their_sources(code: str) -> None:
    known = {source: text for source, text in messages(code).items() if text}
    assert len(known) > 1000
    wrong = {
        source: text
        for source, text in known.items()
        if sorted(PLACE.findall(source)) != sorted(PLACE.findall(text))
        or (source.strip(" ") != source and text.strip(" ") == text)
    }
    assert not wrong


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != ENGLISH])
def test_compiled_translations_are_those_of_the_sources(qapp, code: str) -> None:
    translator = QTranslator()
    assert translator.load(code, str(FOLDER))
    QCoreApplication.installTranslator(translator)
    known = {source: text for source, text in messages(code).items() if text}
    made = {source: QCoreApplication.translate(CONTEXT, source) for source in known}
    QCoreApplication.removeTranslator(translator)
    assert made == known, "run: python tools/translations.py --compile"


def test_no_text_is_lost_in_the_collection() -> None:
    """What the window shows most is among the collected texts."""
    sources = messages("de")
    assert {"Generate {0}", "{0} variant", "{0} variants", "Add region"} <= set(sources)
    assert not any(re.search(r"\{\}", source) for source in sources)
