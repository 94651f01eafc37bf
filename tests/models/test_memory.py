"""Memory is planned before loading."""

from __future__ import annotations

import pytest

from napari_pixcell.models.families import get_family, get_weight_set
from napari_pixcell.models.memory import (
    LADDER,
    Machine,
    needed,
    next_setting,
    plan,
    remember_setting,
    remembered_setting,
    verdict,
)

GB = 10**9


@pytest.mark.parametrize(
    ("family", "free", "name"),
    [
        ("pixcell-256-cells", 24, "resident"),
        ("pixcell-256-cells", 8, "resident"),
        ("pixcell-256-cells", 4, "swap_encoder"),
        ("pixcell-1024", 24, "resident"),
        ("pixcell-1024", 5, "swap_encoder"),
        ("pixcell-256", 1, "cpu"),
        ("demo", 0.5, "resident"),
    ],
)
def test_the_first_setting_that_fits_is_chosen(family: str, free: float, name: str) -> None:
    assert plan(get_family(family), int(free * GB), 2).name == name


# Peak GB of one request on an H100, embedding included.
MEASURED = {
    "pixcell-256-cells": {"resident": 4.17, "swap_encoder": 2.80},
    "pixcell-1024": {"resident": 4.70, "swap_encoder": 3.33, "tile_vae": 1.93},
    "stain-ki67": {"resident": 4.81},
}


def test_planned_memory_matches_measurements_on_a_gpu() -> None:
    for name, found in MEASURED.items():
        for setting in LADDER:
            if setting.name in found:
                planned = needed(get_family(name), setting, 2) / GB
                assert planned == pytest.approx(found[setting.name], rel=0.05)


def test_each_step_needs_no_more_than_the_one_before() -> None:
    for name in ("pixcell-256-cells", "pixcell-1024", "stain-er"):
        sizes = [needed(get_family(name), setting, 2) for setting in LADDER[:-1]]
        assert sizes == sorted(sizes, reverse=True)
        assert sizes[0] > sizes[-1]


def test_full_precision_needs_twice_as_much() -> None:
    family = get_family("pixcell-256")
    assert needed(family, LADDER[0], 4) == pytest.approx(2 * needed(family, LADDER[0], 2), rel=0.01)


def test_a_stain_needs_its_base_only_once() -> None:
    base, stain = (get_family(name) for name in ("pixcell-1024", "stain-her2"))
    assert needed(stain, LADDER[0], 2) - needed(base, LADDER[0], 2) < 0.1 * GB


def test_a_plan_never_climbs_above_its_start() -> None:
    family = get_family("pixcell-256")
    assert plan(family, 80 * GB, 2, start=LADDER[2]) == LADDER[2]


def test_the_ladder_ends_on_the_cpu() -> None:
    steps, setting = [], LADDER[0]
    while setting is not None:
        steps.append(setting.name)
        setting = next_setting(setting)
    assert steps[-1] == "cpu"


def test_a_setting_is_remembered_for_each_gpu_and_family() -> None:
    family = get_family("pixcell-256")
    assert remembered_setting("GPU A", family, 4 * GB) is None
    remember_setting("GPU A", family, LADDER[2], 4 * GB)
    assert remembered_setting("GPU A", family, 4 * GB) == LADDER[2]
    assert remembered_setting("GPU B", family, 4 * GB) is None
    assert remembered_setting("GPU A", get_family("pixcell-1024"), 4 * GB) is None


def test_a_remembered_setting_is_discarded_once_far_more_memory_is_free() -> None:
    family = get_family("pixcell-256")
    remember_setting("GPU A", family, LADDER[-1], GB // 2)
    assert remembered_setting("GPU A", family, 22 * GB) is None
    assert remembered_setting("GPU A", family, GB // 3) == LADDER[-1]


@pytest.mark.parametrize(
    ("family", "machine", "words"),
    [
        ("demo", Machine(0, GB), "runs anywhere"),
        ("pixcell-256-cells", Machine(24 * GB, 64 * GB), "runs resident"),
        ("pixcell-256-cells", Machine(4 * GB, 64 * GB), "runs with the encoder moved out"),
        ("pixcell-256", Machine(0, 24 * GB), "runs slowly on CPU: about 38 s a tile"),
        ("pixcell-1024", Machine(0, 24 * GB), "runs slowly on CPU: about 15 min a tile"),
        ("pixcell-256", Machine(0, 2 * GB), "GB more memory than is free"),
        ("cellpose", Machine(8 * GB, 8 * GB), "runs resident"),
        ("cellpose", Machine(GB, 24 * GB), "runs slowly on CPU: about 20 s for 256 px"),
        ("cellpose", Machine(0, GB), "needs 1 GB more memory than is free"),
    ],
)
def test_a_verdict_states_how_a_model_runs_on_a_machine(
    family: str, machine: Machine, words: str
) -> None:
    assert words in verdict(get_weight_set(family), machine)
