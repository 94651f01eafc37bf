"""One bad family file never blocks the others, or any command."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

import pytest

from napari_pixcell.cli import main as cli
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import private_folder
from napari_pixcell.models import own_families
from napari_pixcell.models.catalogue import BUILT_IN, DEMO
from napari_pixcell.models.families import families, segmenter_file
from napari_pixcell.models.own_families import problems, read_own_family, write_own_family

BASE = 'base = "demo"\n'
BAD = {
    "user": (BASE + '[lora]\nfile = "~nosuchuser/x.safetensors"', "path “~nosuchuser/x.safetens"),
    "long": (BASE + f'[lora]\nfile = "{"x" * 5000}"', "in [lora] is not valid"),
    "deep-path": (BASE + f'[lora]\nfile = "{"x/" * 5000}y"', "File name too long. Correct it."),
    "nul": (BASE + '[lora]\nfile = "a\\u0000b"', "in [lora] is not valid"),
    "number": (BASE + "[lora]\nfile = 5", "needs folder = "),
    "list": (BASE + "lora = [1]", "needs folder = "),
    "deep": (BASE + "title = " + "[" * 5000, "is not a TOML file"),
    "digits": (BASE + "steps = " + "9" * 5000, "is not a TOML file"),
    "bytes": (b"\xff\xfe", "is not a TOML file"),
    "date": (BASE + "title = 2020-13-45", "is not a TOML file"),
    "large": (BASE + "#" * 2**20, "is larger than 1 MB"),
    "steps": (BASE + "steps = 100000", "“steps” must be 1 to 1000"),
    "switch": (BASE + "steps = true", "“steps” has the wrong type"),
    "nan": (BASE + "guidance = nan", "“guidance” must be 0 to 50"),
    "title": (BASE + 'title = "a\\nb"', "“title” must be one line of at most 200 characters"),
    "base": ('base = "x"', "There is no base “x”"),
    "palette": (BASE + '[classes]\na = "#ff0000"\nb = "#ff0000"', "“a” and “b” have the same"),
    "classes": (BASE + "[classes]\na = 1", "[classes] needs lines such as"),
    "plain": (BASE + "classes = 1", "[classes] needs lines such as"),
    "table": ("[base]\nx = 1", "needs a line base"),
    "unknown": (BASE + "stepps = 3", "“stepps” is unknown"),
    "demo": (BASE, "has the name of a built-in family"),
}


@pytest.fixture
def folder() -> Path:
    folder = private_folder(own_families.families_folder())
    for name, (content, _) in BAD.items():
        data = content if isinstance(content, bytes) else content.encode()
        (folder / f"{name}.toml").write_bytes(data)
    (folder / "good.toml").write_text(BASE + "steps = 5")
    (folder / "._good.toml").write_bytes(b"\0\5\26\7")  # beside each file on some disks of macOS
    return folder


def test_bad_families_are_named_once_and_the_others_work(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own_families._warn.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert list(families())[len(BUILT_IN) :] == ["good"]
        assert families()["good"].steps == 5
    assert [record.message for record in caplog.records] == problems()
    assert len(problems()) == len(BAD)
    for name, (_, words) in BAD.items():
        (sentence,) = [one for one in problems() if f"{name}.toml" in one]
        assert words in sentence and len(sentence) < 400


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["generate", "--help"]])
def test_no_family_is_read_for_the_version_or_help(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setattr(own_families, "_read_all", None)  # fails if it is called
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 0


def test_a_pipe_is_no_family(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.toml")
    with pytest.raises(PixCellError, match="is a pipe or a device"):
        read_own_family(tmp_path / "x.toml", BUILT_IN)


def test_a_family_is_written_for_its_owner_only(tmp_path: Path) -> None:
    path = write_own_family("mine", DEMO, {"title": "Mine"}, {"lora": tmp_path / "x"}, "CC0")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_bytes(b"\xff" * 10)
    with pytest.raises(PixCellError, match="You have another model named “mine”"):
        write_own_family("mine", DEMO, {}, {"lora": tmp_path / "x"}, "CC0")


@pytest.mark.parametrize("name", ["~nosuchuser/x", "x" * 5000, "a\0b"])
def test_an_impossible_path_is_no_segmentation_model(name: str) -> None:
    with pytest.raises(PixCellError, match="There is no Cellpose model file"):
        segmenter_file(name)


def test_classes_of_a_family_are_written_and_read_in_order(tmp_path: Path) -> None:
    weights = tmp_path / "controlnet" / own_families.WEIGHTS
    palette = (("tumour", "#ff2020"), ('a "quoted" class', "#2060ff"), ("", "#ffffff"))
    settings = {"cell_gap": True, "title": "mine"}
    path = write_own_family("mine", DEMO, settings, {"controlnet": weights}, "own", palette)
    family = read_own_family(path, BUILT_IN)
    assert family.palette == palette and family.cell_gap
    assert family.classes == ("tumour", 'a "quoted" class')
    assert family.part("controlnet").folder == weights.parent
