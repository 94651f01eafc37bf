"""How a ControlNet is trained within the memory of a GPU, planned before the start."""

from __future__ import annotations

import pytest

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import DEMO, PIXCELL_256_CELLS, PIXCELL_1024
from napari_pixcell.models.training_memory import card_words, control_bytes, plan_control

GB = 1_000_000_000


def test_a_larger_gpu_trains_more_tiles_at_once_and_recomputes_less() -> None:
    plans = [plan_control(PIXCELL_1024, size * GB, 8) for size in (24, 48, 80)]
    assert [plan.recompute for plan in plans] == [True] * 3
    assert plans[0].at_once <= plans[1].at_once <= plans[2].at_once == 8
    small = plan_control(PIXCELL_256_CELLS, 24 * GB, 8)
    assert small.at_once == 8
    assert not plan_control(PIXCELL_256_CELLS, 80 * GB, 8).recompute


def test_a_plan_fits_and_is_told_in_a_sentence() -> None:
    plan = plan_control(PIXCELL_1024, 24 * GB, 8)
    assert plan.needed == control_bytes(PIXCELL_1024, plan.at_once, plan.recompute) < 0.85 * 24 * GB
    assert "with gradient checkpointing, in about" in plan.words(8)
    assert [line.split(":")[0] for line in card_words(PIXCELL_1024, 8)] == [
        "16 GB",
        "24 GB",
        "48 GB",
        "80 GB",
    ]


def test_a_gpu_that_is_too_small_is_refused() -> None:
    with pytest.raises(PixCellError, match=r"needs about 1\d GB of free memory, but 8 GB are free"):
        plan_control(PIXCELL_256_CELLS, 8 * GB, 8)


def test_the_demo_family_needs_no_plan() -> None:
    plan = plan_control(DEMO, 0, 8)
    assert (plan.at_once, plan.recompute, plan.needed) == (8, False, 0)
