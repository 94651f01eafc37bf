"""Files are written whole, privately and durably, whatever the disk does meanwhile."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from faults import count, failing, killed, power_cut

from napari_pixcell import files
from napari_pixcell.engine.styles.library import StyleLibrary
from napari_pixcell.engine.styles.style import Style
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import private_folder, write_whole
from napari_pixcell.preferences import preference, set_preference

ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS)
linux = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "file").write_text("old")
    return tmp_path / "disk"


@linux
def test_a_file_is_the_old_or_the_new_one_after_any_fault(folder: Path, tmp_path: Path) -> None:
    path = folder / "file"

    def work() -> None:
        write_whole(path, "new")

    calls = count(work)
    assert calls >= 4
    for number in range(calls):
        path.write_text("old")
        for error in ERRORS:
            with failing(number, error), pytest.raises(OSError, match=os.strerror(error)):
                work()
            assert path.read_text() in ("old", "new") and len(list(folder.iterdir())) == 1
        path.write_text("old")
        assert killed(number, work) and path.read_text() in ("old", "new")
        for leftover in folder.glob(".*"):
            leftover.unlink()
        path.write_text("old")
        kept = tmp_path / f"after {number}"
        assert power_cut(number, work, folder, kept)
        assert (kept / "file").read_text() in ("old", "new")
    path.write_text("old")
    assert not power_cut(calls, work, folder, tmp_path / "after all")
    assert (tmp_path / "after all" / "file").read_text() == "new"  # once it returned


def test_a_file_system_that_cannot_sync_folders_is_no_error(folder: Path) -> None:
    calls = count(lambda: write_whole(folder / "file", "new"))
    with failing(calls - 1, errno.EINVAL):
        write_whole(folder / "file", "newer")
    assert (folder / "file").read_text() == "newer"


@pytest.mark.parametrize("umask", [0o077, 0o022, 0o002])
def test_private_files_are_only_the_owners_and_shared_ones_are_for_the_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, umask: int
) -> None:
    before = os.umask(umask)
    monkeypatch.setattr(files, "UMASK", umask)
    try:
        folder = private_folder(tmp_path / "a" / "b")
        write_whole(folder / "private", b"", private=True)
        write_whole(folder / "shared", b"", shared=True)
        write_whole(folder / "usual", b"")
    finally:
        os.umask(before)

    def mode(name: str) -> int:
        return stat.S_IMODE((folder / name).stat().st_mode)

    assert mode(".") == mode("..") == 0o700
    assert mode("private") == 0o600
    assert mode("shared") & 0o640 == 0o640
    assert mode("usual") == 0o666 & ~umask


def test_a_file_in_the_way_of_a_private_folder_is_an_error(folder: Path) -> None:
    with pytest.raises(NotADirectoryError):
        private_folder(folder / "file")


def test_settings_survive_every_failing_call() -> None:
    set_preference("kept", 1)
    for number in range(count(lambda: set_preference("other", 0))):
        for error in ERRORS:
            with failing(number, error), pytest.raises(PixCellError, match="cannot be saved"):
                set_preference("other", number + 1)
            assert preference("kept") == 1
        set_preference("other", number)
        assert preference("other") == number


def test_styles_survive_every_failing_call() -> None:
    library = StyleLibrary()
    kept = library.save(Style("Kept", np.ones((1, 1, 8), np.float32), "e", "demo"))
    style = Style("Other", np.ones((1, 1, 8), np.float32), "e", "demo")
    for number in range(count(lambda: library.save(style))):
        for error in ERRORS:
            with failing(number, error), pytest.raises(PixCellError, match="cannot be saved"):
                library.save(style)
            assert kept.id in {one.id for one in library.read()} and not library.problems
    assert library.save(style).name == "Other"
