"""Cellpose files, read and written, and hostile pickles."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cellpose_files import written_and_read
from drawn_layouts import SAMPLE_CELLS, sample

from napari_pixcell.cells import read_cells, write_cellpose
from napari_pixcell.errors import PixCellError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files written by Cellpose, own…, and ours, which it has read."""
    folder = tmp_path_factory.mktemp("cellpose")
    np.save(folder / "labels.npy", sample().astype(np.uint16))
    (folder / "ours.tif").touch()
    write_cellpose(folder / "ours_seg.npy", sample())
    return folder


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[str, Any]:
    return written_and_read(folder)


@pytest.mark.usefixtures("found")
@pytest.mark.parametrize("name", ["own_seg.npy", "own_cp_masks.png", "own_cp_masks.tif"])
def test_files_written_by_cellpose_are_read(folder: Path, name: str) -> None:
    np.testing.assert_array_equal(read_cells(folder / name).labels, sample())


def test_cellpose_reads_exported_files(found: dict[str, Any]) -> None:
    assert set(found["keys"]) >= {"outlines", "masks", "ismanual", "flows", "filename"}
    assert {name: value for name, value in found.items() if name != "keys"} == {
        "seg": True,
        "outlines": True,
        "manual": True,
        "filename": "ours.tif",
        "tif": True,
        "training": "ours_masks.tif",
    }


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("order", ["C", "F"])
def test_seg_files_of_any_pickle_protocol_are_read(tmp_path: Path, protocol: int, order) -> None:
    content = {
        "masks": np.array(sample(), ">u4", order=order),
        "diameter": np.float64(30),
        "filename": Path("a") / "b.tif",
        "flows": [np.zeros(3, np.float32), []],
    }
    np.testing.assert_array_equal(
        read_cells(pickled(tmp_path, np.array(content, object), protocol)).labels, sample()
    )


def pickled(folder: Path, value: Any, protocol: int = 4) -> Path:
    """Write a value after the header of a NumPy object array."""
    file = io.BytesIO()
    np.save(file, np.array({}, object), allow_pickle=True)
    header = file.getvalue()[: file.getvalue().index(b"\n") + 1]
    path = folder / "a_seg.npy"
    path.write_bytes(header + pickle.dumps(value, protocol))
    return path


class Run:
    """Calls a function when it is unpickled."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> Any:
        return self.call[0], self.call[1:]


def touch(path: str) -> None:
    Path(path).touch()


@pytest.mark.parametrize("place", ["alone", "in the masks", "beside them"])
def test_a_pickle_that_runs_code_is_refused_and_runs_nothing(tmp_path: Path, place: str) -> None:
    mark = tmp_path / "ran"
    hostile = Run(exec, f"open({str(mark)!r}, 'w')")
    value: Any = {
        "alone": hostile,
        "in the masks": np.array({"masks": hostile}, object),
        "beside them": np.array({"masks": sample(), "x": [hostile]}, object),
    }[place]
    path = pickled(tmp_path, value)
    with pytest.raises(
        PixCellError, match=r"not opened because it would run code \(builtins\.exec"
    ):
        read_cells(path)
    assert not mark.exists()
    pickle.loads(pickle.dumps(hostile))  # it would have
    assert mark.exists()


@pytest.mark.parametrize(
    "call", [(eval, "1"), (getattr, "a", "upper"), (np.load, "a"), (np.dtype.newbyteorder, "<")]
)
def test_unknown_names_in_pickles_are_refused(tmp_path: Path, call) -> None:
    with pytest.raises(PixCellError, match="would run code"):
        read_cells(pickled(tmp_path, {"masks": Run(*call)}))


def test_memory_flags_in_pickled_dtypes_are_not_trusted(tmp_path: Path) -> None:
    """An object dtype flagged as holding no objects would turn bytes into pointers."""
    path = pickled(tmp_path, np.array({"masks": np.array([7], object)}, object))
    honest = path.read_bytes()
    assert honest.count(b"K?t") == 1  # one dtype, shared
    path.write_bytes(honest.replace(b"K?t", b"K\0t").replace(b"]\x94K\x07a", b"C\x0812345678"))
    with pytest.raises(PixCellError, match="cannot be read as a label image"):
        read_cells(path)


@pytest.mark.parametrize(
    "value",
    [
        {"masks": sample()},  # not in an array
        np.array({"flows": []}, object),
        np.array({"masks": [1, 2]}, object),
        np.array({"masks": np.array(["a"])}, object),
        np.array([], object),
    ],
)
def test_pickles_without_masks_are_explained(tmp_path: Path, value: Any) -> None:
    with pytest.raises(PixCellError, match=r"a_seg\.npy cannot be read as a label image"):
        read_cells(pickled(tmp_path, value))


def test_truncated_seg_files_are_explained(tmp_path: Path) -> None:
    whole = (SAMPLE_CELLS / "sample_seg.npy").read_bytes()
    (tmp_path / "a_seg.npy").write_bytes(whole[:-5000])
    with pytest.raises(PixCellError, match=r"a_seg\.npy cannot be read as a label image"):
        read_cells(tmp_path / "a_seg.npy")


def test_masks_of_stacks_are_refused(tmp_path: Path) -> None:
    stack = np.array({"masks": np.ones((7, 9, 8), np.uint16)}, object)
    with pytest.raises(PixCellError, match=r"is a stack \(8 × 9 × 7 px\)"):
        read_cells(pickled(tmp_path, stack))


def test_cellpose_exports_must_be_named_seg(tmp_path: Path) -> None:
    with pytest.raises(PixCellError, match=r"opens only files named …_seg\.npy\. Rename a\.npy"):
        write_cellpose(tmp_path / "a.npy", sample())
