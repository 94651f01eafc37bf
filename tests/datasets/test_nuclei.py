"""Nuclei of a pair that differ from its mask: what is found, stored and read back."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from napari_pixcell.cells.faithfulness import faithfulness
from napari_pixcell.datasets.store import nuclei as nuclei_module
from napari_pixcell.datasets.store.nuclei import DifferingNuclei, checked_nuclei
from napari_pixcell.errors import PixCellError

SIZE = 60, 80


def squares(*corners: tuple[int, int, int]) -> np.ndarray:
    """Draw nuclei of 12 px: label, top and left of each."""
    labels = np.zeros(SIZE, np.uint32)
    for label, top, left in corners:
        labels[top : top + 12, left : left + 12] = label
    return labels


WANTED = squares((7, 2, 2), (9, 2, 30), (2**31, 30, 2))
SEGMENTED = squares((1, 2, 2), (5, 8, 30), (300, 40, 50), (70_000, 40, 62))
FOUND = DifferingNuclei.of(faithfulness(WANTED, SEGMENTED, 0.5), SEGMENTED)


def read_back(row: Any, size: tuple[int, int] = SIZE) -> DifferingNuclei | None:
    return DifferingNuclei.from_row(
        {"index": 3, "nuclei": checked_nuclei(json.loads(json.dumps(row)))}, size
    )


def test_labels_and_pixels_of_differing_nuclei_are_read_back_exactly() -> None:
    again = read_back(FOUND.to_row())
    assert again is not None and again.extra is not None
    assert again.partial.tolist() == [9] and again.missing.tolist() == [2**31]
    assert np.array_equal(again.extra == 1, SEGMENTED == 300)
    assert np.array_equal(again.extra == 2, SEGMENTED == 70_000)  # touching, but another nucleus
    assert len(json.dumps(FOUND.to_row())) < 250


def test_a_faithful_image_has_none() -> None:
    found = DifferingNuclei.of(faithfulness(WANTED, WANTED, 0.5), WANTED)
    assert found.to_row() == {"partial": [], "missing": [], "extra": None}
    again = read_back(found.to_row())
    assert again is not None and again.extra is None
    assert read_back(None) is None  # of an earlier version, or without a mask


def test_more_nuclei_than_a_row_can_hold_are_only_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nuclei_module, "LONGEST_PACKED", 20)
    assert FOUND.to_row() is None
    monkeypatch.undo()
    monkeypatch.setattr(nuclei_module, "MOST_LISTED", 1)
    assert FOUND.to_row() is None


@pytest.mark.parametrize(
    "changes",
    [
        {"partial": None},
        {"missing": [0]},
        {"missing": [True]},
        {"missing": [1.5]},
        {"missing": [2**32]},
        {"partial": [1] * 20_001},
        {"extra": []},
        {"extra": {"dtype": "uint8"}},
        {"extra": {"dtype": "float64", "shape": [60, 80], "zlib": ""}},
        {"extra": {"dtype": "uint8", "shape": [60], "zlib": ""}},
        {"extra": {"dtype": "uint8", "shape": [60, "80"], "zlib": ""}},
        {"extra": {"dtype": "uint8", "shape": [60, 80], "zlib": "x" * 300_000}},
    ],
)
def test_received_nuclei_of_another_form_are_refused(changes: dict[str, Any]) -> None:
    row = FOUND.to_row()
    assert row is not None
    with pytest.raises(ValueError, match=r"nuclei"):
        checked_nuclei(row | changes)
    with pytest.raises(ValueError, match=r"no object"):
        checked_nuclei([row])


def test_a_damaged_label_image_is_refused_in_words() -> None:
    row = FOUND.to_row()
    assert row is not None
    words = r"The extra nuclei of pair 3 are damaged. Restore manifest.jsonl from a copy."
    with pytest.raises(PixCellError, match=words):
        read_back(row, (60, 81))
    for text in ("", "eJwDAAAAAAE=", row["extra"]["zlib"][:-8]):
        with pytest.raises(PixCellError, match=words):
            read_back(row | {"extra": row["extra"] | {"zlib": text}})
