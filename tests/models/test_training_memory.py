"""How a ControlNet is trained within the memory of a GPU, planned before the start."""

from __future__ import annotations

import pytest

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import DEMO, PIXCELL_256_CELLS, PIXCELL_1024, Family
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


def test_what_usual_gpus_train_at_1024_px_is_said_before() -> None:
    assert card_words(PIXCELL_1024, 8) == [
        "16 GB: Trains 1 of 8 tiles at once, with gradient checkpointing, in about 13 GB.",
        *(
            f"{size} GB: Trains 8 tiles at once, with gradient checkpointing, in about 19 GB."
            for size in (24, 48, 80)
        ),
    ]
    assert card_words(PIXCELL_256_CELLS, 8) == [
        *(
            f"{size} GB: Trains 8 tiles at once, with gradient checkpointing, in about 13 GB."
            for size in (16, 24)
        ),
        *(f"{size} GB: Trains 8 tiles at once, in about 21 GB." for size in (48, 80)),
    ]


@pytest.mark.parametrize(
    ("family", "needed"), [(PIXCELL_256_CELLS, 15), (PIXCELL_1024, 16)], ids=["256", "1024"]
)
def test_a_gpu_that_is_too_small_is_refused(family: Family, needed: int) -> None:
    with pytest.raises(PixCellError) as error:
        plan_control(family, 12 * GB, 8)
    assert str(error.value) == (
        f"Training a ControlNet of {family.title} needs about {needed} GB of free memory, but "
        "12 GB are free. Use a larger GPU, or close other programs that use this one."
    )


def test_the_demo_family_needs_no_plan() -> None:
    plan = plan_control(DEMO, 0, 8)
    assert (plan.at_once, plan.recompute, plan.needed) == (8, False, 0)
