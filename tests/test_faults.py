"""Files are written whole, privately and durably, whatever the disk does meanwhile."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from faults import count, failing, killed, power_cut

from napari_pixcell import files
from napari_pixcell.engine.canvas.plan import Canvas
from napari_pixcell.engine.canvas.store import CanvasStore
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


# -- canvases -----------------------------------------------------------------------------

CANVAS = Canvas((64, 48), 64, 8)


def generate(folder: Path) -> np.ndarray:
    """Compute a small canvas, resuming what is in the folder; every row depends on all others."""
    store = CanvasStore("x", CANVAS, 2, folder)
    try:
        if store.finished is not None:
            return np.asarray(store.finished)
        if store.resumed and any(store.damaged.values()):
            store.restart()
        if not store.resumed:
            store.latents[:] = np.arange(store.latents.size).reshape(store.latents.shape)
            store.begin()
        for step in range(store.step, 2):
            for row in range(store.row, 2):
                carried = store.carried.get("mean", np.float32(store.latents.mean()))
                new = store.latents[:, 4 * row : 4 * row + 4] * np.float32(0.5) + carried
                after = (step, 1) if row == 0 else (step + 1, 0)
                rows = {"latents": new, "clean": new * 2}
                store.done(*after, rows, {"mean": carried} if row == 0 else {}, 4 * row)
        if not store.picture_begun:
            store.row = 0
        for row in range(2):
            if row >= store.row or not store.holds(32 * row):
                value = store.latents[:, 4 * row : 4 * row + 4].sum()
                store.put(32 * row, np.full((32, 48, 3), int(value) % 251, np.uint8))
                store.done(2, max(store.row, row + 1), {}, {}, 0)
        return np.asarray(store.finish())
    finally:
        store.close(remove=False)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x40
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [flip, Path.unlink, lambda path: path.write_text("")])
def test_a_damaged_finished_image_is_generated_again(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    for name in ("picture.npy", "finished.json"):
        expected = generate(tmp_path)
        damage(tmp_path / "x" / name)
        assert np.array_equal(generate(tmp_path), expected)


@linux
def test_a_canvas_survives_a_fault_at_any_call(tmp_path: Path) -> None:
    folder = tmp_path / "canvases"
    expected = generate(tmp_path / "expected")

    def work() -> None:
        folder.mkdir(exist_ok=True)
        assert np.array_equal(generate(folder), expected)

    calls = count(work)
    assert calls > 20
    for number in range(calls):
        shutil.rmtree(folder)
        if number % 3 == 0:
            assert killed(number, work)
        elif number % 3 == 1:
            folder.mkdir()
            kept = tmp_path / f"after {number}"
            assert power_cut(number, work, folder, kept)
            shutil.rmtree(folder)
            kept.rename(folder)
        else:
            error = (errno.ENOSPC, errno.EIO, errno.EROFS)[number // 3 % 3]
            with failing(number, error), contextlib.suppress(PixCellError):
                work()
        count(work)


def test_a_canvas_can_be_read_by_its_owner_only(tmp_path: Path) -> None:
    store = CanvasStore("x", CANVAS, 2, tmp_path / "canvases")
    store.begin()
    for path in (tmp_path / "canvases", *(tmp_path / "canvases").rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    store.close(remove=True)
    assert not list((tmp_path / "canvases").iterdir())
