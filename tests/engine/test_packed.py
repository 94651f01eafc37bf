"""Packed arrays: equal by their values, compressed only when they are written."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_pixcell.engine import packed as module
from napari_pixcell.engine.packed import ArraysApart, PackedArray, arrays_apart
from napari_pixcell.errors import PixCellError

PIXELS = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
ARRAYS = [
    PIXELS,
    PIXELS[::2, ::-1],
    np.array([1.5, np.nan], np.float32),
    np.array([[1, 2]], ">i4"),
    np.zeros((0, 3), np.uint16),
    np.array(True),
]


@pytest.mark.parametrize("array", ARRAYS)
def test_arrays_come_back_from_json(array: np.ndarray) -> None:
    packed = PackedArray.pack(array)
    again = PackedArray.from_dict(json.loads(json.dumps(packed.to_dict())))
    for one in (packed, again, PackedArray(packed.dtype, packed.shape, packed.data)):
        assert one == packed and hash(one) == hash(packed)
        values = one.unpack()
        assert np.array_equal(values, array, equal_nan=array.dtype.kind == "f")
        assert values.flags.writeable and values.dtype == array.dtype.newbyteorder("=")


def test_arrays_are_compressed_only_when_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bytes:
        raise AssertionError("compressed")

    with monkeypatch.context() as patch:
        patch.setattr(module.zlib, "compress", refuse)
        packed = PackedArray.pack(PIXELS)
        assert packed == PackedArray.pack(PIXELS) and np.array_equal(packed.unpack(), PIXELS)
    assert packed.to_dict()["zlib"] == packed.data
    assert np.array_equal(packed.unpack(), PIXELS)


def test_large_arrays_are_kept_compressed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_UNCOMPRESSED", 10)
    packed = PackedArray.pack(PIXELS + 1)
    assert packed._array is None and np.array_equal(packed.unpack(), PIXELS + 1)


def test_later_changes_do_not_reach_a_packed_array() -> None:
    array = PIXELS.copy()
    packed = PackedArray.pack(array)
    array[:] = 0
    packed.unpack()[:] = 0
    assert np.array_equal(packed.unpack(), PIXELS)
    with pytest.raises(ValueError, match="read-only"):
        packed.view()[0] = 0


def test_equal_arrays_are_in_memory_once() -> None:
    packed = PackedArray.pack(PIXELS)
    assert PackedArray.pack(PIXELS.copy()) is packed
    assert PackedArray.from_dict(packed.to_dict()) is packed
    assert PackedArray.pack(PIXELS.astype(np.int32)) != packed
    assert PackedArray.pack(PIXELS.reshape(2, 8, 3)) != packed


def test_references_are_read_only_beside_their_arrays() -> None:
    packed = PackedArray.pack(PIXELS)
    with arrays_apart(ArraysApart(least=PIXELS.nbytes)) as apart:
        assert packed.to_dict() == {"array": 0} and apart.arrays == [packed]
        assert PackedArray.from_dict({"array": 0}) is packed
        assert "zlib" in PackedArray.pack(PIXELS[:1]).to_dict()
    for value in ({"array": 0}, {"dtype": "uint8", "shape": [2], "zlib": "A"}):
        with pytest.raises(PixCellError, match="An array in this record is damaged"):
            PackedArray.from_dict(value)
