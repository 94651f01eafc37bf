"""Counts, durations and sizes in words."""

from __future__ import annotations

import pytest

from napari_pixcell.words import duration, file_size, pace


@pytest.mark.parametrize(
    ("size", "text"), [(10, "1 kB"), (150_400, "150 kB"), (999_600, "1 MB"), (2.43e9, "2.4 GB")]
)
def test_a_file_size_is_in_its_natural_unit(size, text) -> None:
    assert file_size(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (89, "89 s"), (90, "2 min"), (5400, "1.5 h"), (47 * 3600, "47.0 h"),
     (72 * 3600, "3.0 days")],
)  # fmt: skip
def test_a_duration_is_in_its_natural_unit(seconds, text) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("made", "left", "seconds", "unit", "text"),
    [
        (0, 5, 1.0, "", ""),
        (-3, 5, 1.0, "", ""),
        (30, 60, 10.0, "", "3/s, 20 s left"),
        (30, 0, 10.0, "tiles", "3 tiles/s"),
        (1, 10, 20.0, "pairs", "3 pairs/min, 3 min left"),
        (1, 10, 1200.0, "pairs", "3 pairs/h, 3.3 h left"),
        (30_000_000, 60_000_000, 10.0, "bytes", "3 MB/s, 20 s left"),
    ],
)
def test_a_pace_is_in_its_natural_unit(made, left, seconds, unit, text) -> None:
    assert pace(made, left, seconds, unit) == text
