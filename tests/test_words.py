"""Counts, durations and sizes in words."""

from __future__ import annotations

import pytest

from napari_pixcell.words import file_size


@pytest.mark.parametrize(
    ("size", "text"), [(10, "1 kB"), (150_400, "150 kB"), (999_600, "1 MB"), (2.43e9, "2.4 GB")]
)
def test_a_file_size_is_in_its_natural_unit(size, text) -> None:
    assert file_size(size) == text
