"""The language of the window: texts are looked up in Qt's translations, English is the source.

Nothing below the window knows of languages. Its sentences arrive here whole, “Generate 4 variants”,
so a translation can be a template, “Generate {0}” and “{0} variants”, which are filled in turn.
``tools/translations.py`` collects them for Qt Linguist.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from xml.etree import ElementTree

from qtpy.QtCore import QCoreApplication, QLibraryInfo, QTranslator

from napari_pixcell.preferences import LANGUAGE, preference

CONTEXT = "napari-pixcell"
FOLDER = Path(__file__).with_name("languages")
ENGLISH = "en"
LANGUAGES = {ENGLISH: "English", "de": "Deutsch"}
PLACE = re.compile(r"\{(\d)\}")
SEPARATORS = "\n", " · ", ", ", ": "
SENTENCES = re.compile(r"(?<=[.!?…]) (?=[A-Z“])")
BRACKETS = re.compile(r"(.+) \(([^()]+)\)(\.?)", re.DOTALL)
WORD = re.compile(r"[A-Za-zÀ-ÿ]{3}")  # shorter ones are units and keys

_installed: list[QTranslator] = []
_known: set[str] = set()  # texts that have a translation, if only the same word
_templates: list[tuple[re.Pattern[str], str]] = []
missing: set[str] = set()  # texts without a translation, for translators and tests


def wanted_language() -> str:
    """Return the code of the language that the user chose; napari itself speaks only English."""
    chosen = str(preference(LANGUAGE.name, ENGLISH))
    return chosen if chosen in LANGUAGES else ENGLISH


def use_language(code: str) -> None:
    """Use a language for all texts that are set from now on."""
    for translator in _installed:
        QCoreApplication.removeTranslator(translator)
    for kept in (_installed, _known, _templates, missing):
        kept.clear()
    tr.cache_clear()
    if code == ENGLISH:
        return
    qt_texts = QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
    # Qt's own texts, of its file dialogs for example, are not there in every installation.
    for folder, name in ((qt_texts, f"qtbase_{code}"), (str(FOLDER), code)):
        translator = QTranslator()
        if translator.load(name, folder):
            QCoreApplication.installTranslator(translator)
            _installed.append(translator)
    messages = ElementTree.parse(FOLDER / f"{code}.ts").iter("message")
    _known.update(one.findtext("source", "") for one in messages if one.findtext("translation"))
    templates = [source for source in _known if PLACE.search(source)]
    # The most specific first.
    templates.sort(key=lambda source: (-len(PLACE.sub("", source)), source))
    _templates.extend((_pattern(source), source) for source in templates)


@lru_cache(maxsize=8192)
def tr(text: str) -> str:
    """Return a text in the language of the window, or unchanged if it has no translation."""
    if not _installed or not WORD.search(text):
        return text
    made = _whole(text)
    if made is None:
        missing.add(text)
        return text
    return made


def _whole(text: str) -> str | None:
    """Return the translation of a text, as it is or made of parts; None without one."""
    if not WORD.search(text):
        return text
    if text in _known:
        made: str = QCoreApplication.translate(CONTEXT, text)
        return made
    # A reason is shown alone, “Add a region”, in a sentence, “Add a region.”, or capitalised.
    small, large, bare = text[:1].lower() + text[1:], text[:1].upper() + text[1:], text[:-1]
    if large in _known:
        return str(QCoreApplication.translate(CONTEXT, large))
    if small in _known:
        made = QCoreApplication.translate(CONTEXT, small)
        return made[:1].upper() + made[1:]
    if text[-1] in ".…:" and bare in _known:
        return str(QCoreApplication.translate(CONTEXT, bare)) + text[-1]
    return _filled(text) or _joined(text)


def _filled(text: str) -> str | None:
    """Return the translation of a template that yields the text."""
    for pattern, source in _templates:
        match = pattern.fullmatch(text)
        if match:
            template: str = QCoreApplication.translate(CONTEXT, source)
            before = PLACE.split(source)[::2]
            # What stands in quotation marks is a name.
            values = [
                value if text.endswith("“") else _whole(value) or value
                for value, text in zip(match.groups(), before, strict=False)
            ]
            return template.format(*values)
    return None


def _joined(text: str) -> str | None:
    """Return the translation of several texts in one, if all of them have one."""
    for separator in SEPARATORS:
        if separator in text:
            first, *rest = text.split(separator)
            parts = [_whole(first), *(_next(separator, part) for part in rest)]
            if all(part is not None for part in parts):
                return separator.join(map(str, parts))
    if bracketed := BRACKETS.fullmatch(text):
        parts = [_whole(part) for part in bracketed.groups()]
        if all(part is not None for part in parts):
            return "{} ({}){}".format(*parts)
    sentences = SENTENCES.split(text)
    if len(sentences) > 1:
        parts = [_whole(sentence) for sentence in sentences]
        if all(part is not None for part in parts):
            return " ".join(map(str, parts))
    return None


def _next(separator: str, part: str) -> str | None:
    """Return the translation of a part that may be collected with the separator before it."""
    whole = separator + part
    made = _whole(whole) if whole in _known else None
    return _whole(part) if made is None else made.removeprefix(separator)


def _pattern(source: str) -> re.Pattern[str]:
    parts = PLACE.split(source)  # text, number, text, …
    return re.compile("(.*?)".join(re.escape(part) for part in parts[::2]), re.DOTALL)
