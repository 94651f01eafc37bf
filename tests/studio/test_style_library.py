"""Saved styles: files that survive sessions, crashes and odd names."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_pixcell.engine.styles.library import StyleLibrary
from napari_pixcell.engine.styles.style import Style, small_picture
from napari_pixcell.errors import PixCellError
from napari_pixcell.folders import config_folder
from napari_pixcell.models.families import get_family

PICTURE = np.random.default_rng(0).integers(0, 255, (256, 300, 3), np.uint8)


def style(name: str = "Stroma A", value: float = 1.0) -> Style:
    values = np.full((2, 3, 8), value, np.float32)
    return Style(name, values, "e" * 64, "demo", (("Region 1", 0.25), ("Region 2", 0.75)))


@pytest.fixture
def library() -> StyleLibrary:
    return StyleLibrary()


def test_a_saved_style_is_read_back_exactly(library: StyleLibrary) -> None:
    kept = library.save(replace(style(), thumbnail=small_picture(PICTURE)))
    (back,) = StyleLibrary().read()
    assert np.array_equal(back.embedding, kept.embedding)
    assert np.array_equal(back.thumbnail, kept.thumbnail) and max(back.thumbnail.shape) == 96
    for name in ("name", "id", "encoder", "family", "made_of", "created"):
        assert getattr(back, name) == getattr(kept, name)


@pytest.mark.parametrize(
    "name", ["a/b\\c: *?", "../../etc", "Größe 肿瘤 🧫", "CON", ".", "x" * 200, "\u202e'; --"]
)
def test_any_text_can_be_a_name(library: StyleLibrary, name: str) -> None:
    kept = library.save(style(name))
    assert kept.name == " ".join(name.replace("\u202e", " ").split())
    assert [back.name for back in library.read()] == [kept.name]
    assert [path.parent for path in library.folder.iterdir()] == [config_folder() / "styles"]
    assert library.rename(kept.id, "B").name == "B"


def test_line_breaks_in_names_become_spaces_and_empty_or_long_names_are_refused(library) -> None:
    assert library.save(style("  Stroma\n\tA\x00 ")).name == "Stroma A"
    for name, words in ((" \n", "needs a name"), ("x" * 201, "201 characters")):
        with pytest.raises(PixCellError, match=words):
            library.save(style(name))


def test_a_repeated_name_gets_a_number(library: StyleLibrary) -> None:
    first = library.save(style())
    assert [library.save(style(value=n)).name for n in (2, 3)] == ["Stroma A 2", "Stroma A 3"]
    assert library.save(first).name == "Stroma A"  # the same again
    assert library.find("stroma a").embedding[0, 0, 0] == 1
    assert library.rename(first.id, "Stroma A 2").name == "Stroma A 2 2"


def test_removing_a_style_keeps_the_others(library: StyleLibrary) -> None:
    first, second = library.save(style()), library.save(style("B"))
    before = library.stamp()
    library.remove(first.id)
    library.remove(first.id)  # by another session meanwhile
    assert [one.id for one in library.read()] == [second.id]
    assert library.stamp() != before
    with pytest.raises(PixCellError, match=r"There is no style “Stroma A”\. Saved styles: “B”"):
        library.find("Stroma A")
    with pytest.raises(PixCellError, match="no longer exists"):
        library.rename(first.id, "C")


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "newer", "renamed", "link"])
def test_a_damaged_file_is_skipped_and_reported(library: StyleLibrary, damage: str) -> None:
    library.save(style("Whole"))
    path = library.folder / f"{library.save(style('Broken')).id}.style"
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[:-5])
    elif damage == "changed":
        path.write_bytes(content[:-1] + b"\x01")
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "newer":
        path.write_bytes(content.replace(b'style": 1', b'style": 2', 1))
    elif damage == "renamed":
        path.rename(path.with_name("0" * 32 + ".style"))
    else:
        other = path.with_suffix(".moved")
        path.rename(other)
        path.symlink_to(other)
    assert [one.name for one in library.read()] == ["Whole"]
    (problem,) = library.problems
    assert ("Update napari-pixcell" if damage == "newer" else "is damaged") in problem


def test_a_style_with_a_damaged_thumbnail_can_be_used(library: StyleLibrary) -> None:
    kept = library.save(replace(style(), thumbnail=small_picture(PICTURE)))
    path = library.folder / f"{kept.id}.style"
    path.write_bytes(path.read_bytes().replace(b'"thumbnail": "', b'"thumbnail": "AAAA', 1))
    (back,) = library.read()
    assert back.thumbnail is None and np.array_equal(back.embedding, kept.embedding)


def test_a_process_killed_while_writing_keeps_the_previous_style(library: StyleLibrary) -> None:
    kept = library.save(style())
    script = (
        "import os, signal; from pathlib import Path\n"
        "from napari_pixcell.engine.styles.library import StyleLibrary\n"
        "Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"StyleLibrary().rename('{kept.id}', 'Other')\n"
    )
    code = subprocess.run([sys.executable, "-c", script], env=dict(os.environ)).returncode
    assert code == -signal.SIGKILL
    assert [one.name for one in library.read()] == ["Stroma A"] and not library.problems
    (leftover,) = library.folder.glob("*.part")
    os.utime(leftover, (0, 0))
    library.read()
    assert not leftover.exists()


def test_an_unusable_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    library = StyleLibrary(tmp_path / "file")
    assert library.read() == []
    with pytest.raises(PixCellError, match=r"cannot be saved .* PIXCELL_CONFIG_DIR"):
        library.save(style())


def test_style_files_contain_no_path(library: StyleLibrary) -> None:
    kept = library.save(style())
    content = (library.folder / f"{kept.id}.style").read_bytes()
    assert str(Path.home()).encode() not in content and b"/" not in content.partition(b"\n")[0]


def test_a_style_of_another_encoder_is_recognised() -> None:
    demo = get_family("demo")
    assert style().why_not(demo, "e" * 64) == ""
    assert "the encoder of another model (demo)" in style().why_not(demo, "f" * 64)
