"""Settings and pixel sizes: one bad entry, or a damaged file, never blocks the rest."""

from __future__ import annotations

import json
import logging
import os
import stat
from pathlib import Path

import pytest

from napari_pixcell import preferences
from napari_pixcell.folders import config_folder
from napari_pixcell.preferences import (
    IDLE,
    RESULTS,
    idle_minutes,
    megabytes,
    preference,
    problem,
    set_preference,
)
from napari_pixcell.slides import remember_mpp, remembered_mpp
from napari_pixcell.slides.content import content_key


@pytest.fixture(params=["preferences.json", "pixel_sizes.json"])
def file(request: pytest.FixtureRequest) -> Path:
    return config_folder() / str(request.param)


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    (tmp_path / "slide.tif").write_bytes(b"pixels")
    return tmp_path / "slide.tif"


@pytest.mark.parametrize(
    "content",
    [
        "[" * 100_000,
        "nothing",
        "[1]",
        "5",
        '{"a": ' + "9" * 5000 + "}",
        b"\xff\xfe",
        "",
        "#" * 2**23,
    ],
    ids=["deep", "text", "list", "number", "digits", "bytes", "empty", "large"],
)
def test_a_damaged_file_is_named_once_and_kept_beside_the_new_one(
    file: Path, slide: Path, content: str | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    preferences._warn.cache_clear()
    data = content.encode() if isinstance(content, str) else content
    file.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert preference("a") is None and remembered_mpp(slide) is None
    assert len(caplog.records) == 1 and file.name in caplog.text
    assert bool(problem()) == (file.name == "preferences.json")
    set_preference("a", 2)
    remember_mpp(slide, 0.5)
    assert preference("a") == 2 and remembered_mpp(slide) == 0.5 and not problem()
    assert file.with_name(file.name + ".damaged").read_bytes() == data
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_pipe_in_place_of_a_file_is_named(file: Path, slide: Path) -> None:
    os.mkfifo(file)
    assert preference("a") is None and remembered_mpp(slide) is None
    set_preference("a", 2)
    assert preference("a") == 2


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1" + "0" * 400, "-1", "true", "[]", '"x"'])
def test_a_bad_entry_is_as_if_it_were_not_there(slide: Path, value: str) -> None:
    key = content_key(slide)
    (config_folder() / "preferences.json").write_text(
        f'{{"idle minutes": {value}, "results MB": {value}, "good": 1}}'
    )
    (config_folder() / "pixel_sizes.json").write_text(f'{{"{key}": {value}, "other": 0.25}}')
    assert idle_minutes() == IDLE.default and preference("good") == 1
    assert megabytes(RESULTS) == 512_000_000
    assert remembered_mpp(slide) is None
    remember_mpp(slide, 0.5)
    stored = json.loads((config_folder() / "pixel_sizes.json").read_text())
    assert stored["other"] == 0.25 and stored[key] == 0.5
