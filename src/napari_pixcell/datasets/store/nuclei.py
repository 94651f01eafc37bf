"""The nuclei of a pair that differ from its mask, as its row in the manifest holds them.

    "nuclei": {"partial": [3, 17], "missing": [5], "extra": {…}}

``partial`` and ``missing`` are labels of the mask; its other nuclei are placed. ``extra`` is a
packed label image of the nuclei that were segmented where none was requested, or null.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.faithfulness import Faithfulness
from napari_pixcell.datasets.store.rows import JsonRow
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.errors import PixCellError

MOST_LISTED = 20_000  # labels in a row
LONGEST_PACKED = 2**18  # characters; a thousand nuclei take about 90,000
HIGHEST_LABEL = 2**32 - 1
PACKED = {"dtype", "shape", "zlib"}
TYPES = ("uint8", "uint16")


@dataclass(frozen=True, eq=False)
class DifferingNuclei:
    """Nuclei of an image that differ from its mask.

    Parameters
    ----------
    partial, missing : array of integers, (n,)
        Their labels in the mask, see :class:`~napari_pixcell.cells.faithfulness.Faithfulness`.
    extra : array of unsigned integers, (height, width), optional
        Label image of the extra nuclei; None without any.
    """

    partial: NDArray[np.int64]
    missing: NDArray[np.int64]
    extra: NDArray[Any] | None = None

    @classmethod
    def of(cls, faith: Faithfulness, segmented: NDArray[np.integer]) -> DifferingNuclei:
        """Return the nuclei that :func:`~napari_pixcell.cells.faithfulness.faithfulness` found.

        Parameters
        ----------
        faith : Faithfulness
        segmented : array of integers, (height, width)
            Label image of the segmented nuclei.
        """
        if not len(faith.extra):
            return cls(faith.partial, faith.missing)
        numbers = np.searchsorted(faith.extra, segmented).clip(max=len(faith.extra) - 1)
        extra = np.where(faith.extra[numbers] == segmented, numbers + 1, 0)
        kind = np.uint8 if len(faith.extra) < 256 else np.uint16
        return cls(faith.partial, faith.missing, extra.astype(kind))

    def to_row(self) -> JsonRow | None:
        """Return a JSON value; None if the nuclei are too many to be stored with the pair."""
        if len(self.partial) + len(self.missing) > MOST_LISTED:
            return None
        packed = None if self.extra is None else PackedArray.pack(self.extra).to_dict()
        if packed is not None and len(packed["zlib"]) > LONGEST_PACKED:
            return None
        return {"partial": self.partial.tolist(), "missing": self.missing.tolist(), "extra": packed}

    @classmethod
    def from_row(cls, row: JsonRow, size: tuple[int, int]) -> DifferingNuclei | None:
        """Read what :meth:`to_row` returned from the checked row of a pair.

        Parameters
        ----------
        row : dict
            Of the manifest.
        size : (height, width)
            Of the images of the dataset.

        Returns
        -------
        DifferingNuclei or None
            None if the pair has no mask, or its nuclei were not compared one by one.

        Raises
        ------
        PixCellError
            If the label image is damaged or of another size.
        """
        value = row["nuclei"]
        if value is None:
            return None
        extra, damaged = value["extra"], f"The extra nuclei of pair {row['index']} are damaged."
        if extra is not None and tuple(extra["shape"]) != size:
            raise PixCellError(f"{damaged} Restore manifest.jsonl from a copy.")
        try:
            labels = None if extra is None else PackedArray.from_dict(extra).view()
        except PixCellError as error:
            raise PixCellError(f"{damaged} Restore manifest.jsonl from a copy.") from error
        partial, missing = (np.array(value[name], np.int64) for name in ("partial", "missing"))
        return cls(partial, missing, labels)


def checked_nuclei(value: Any) -> JsonRow | None:
    """Return the nuclei of a received row, whose label image is not decompressed yet.

    Raises
    ------
    ValueError
        If a value is missing or wrong.
    """
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ValueError("the nuclei are no object")
    lists, extra = [value.get("partial"), value.get("missing")], value.get("extra")
    if not all(map(_are_labels, lists)):
        raise ValueError("the nuclei are no labels")
    if extra is not None and not _is_packed(extra):
        raise ValueError("the extra nuclei are no label image")
    return {"partial": lists[0], "missing": lists[1], "extra": extra}


def _are_labels(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= MOST_LISTED
        and all(type(one) is int and 0 < one <= HIGHEST_LABEL for one in value)
    )


def _is_packed(value: Any) -> bool:
    if not isinstance(value, dict) or set(value) != PACKED or value["dtype"] not in TYPES:
        return False
    shape, text = value["shape"], value["zlib"]
    return (
        isinstance(shape, list)
        and len(shape) == 2
        and all(type(side) is int for side in shape)
        and isinstance(text, str)
        and len(text) <= LONGEST_PACKED
    )
