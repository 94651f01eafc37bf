"""Memory is planned before loading."""

from __future__ import annotations

from dataclasses import replace

import pytest

from napari_pixcell.models.catalogue import Family, Part
from napari_pixcell.models.families import get_family, get_weight_set
from napari_pixcell.models.memory import (
    EMBEDDED,
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
        ("pixcell-256-cells", 5, "swap_encoder"),
        ("pixcell-256-cells", 3, "cpu"),
        ("pixcell-1024", 24, "resident"),
        ("pixcell-1024", 5, "swap_encoder"),
        ("pixcell-256", 1, "cpu"),
        ("demo", 0.5, "resident"),
    ],
)
def test_the_first_setting_that_fits_is_chosen(family: str, free: float, name: str) -> None:
    assert plan(get_family(family), int(free * GB), 2).name == name


# Peak GB of one request on an H100 with everything in memory, embedding included. The encoder was
# in half precision then.
MEASURED = {"pixcell-256-cells": 4.17, "pixcell-1024": 4.70, "stain-ki67": 4.81}


def encoder_bytes(family: Family) -> int:
    part = family.part("encoder")
    assert part is not None
    return part.bytes


@pytest.mark.parametrize("name", MEASURED)
def test_planned_memory_matches_measurements_on_a_gpu(name: str) -> None:
    family = get_family(name)
    more = encoder_bytes(family) / 2
    if family.tile == 256:  # where embedding takes more than decoding
        more += 2 * EMBEDDED
    assert (needed(family, LADDER[0], 2) - more) / GB == pytest.approx(MEASURED[name], rel=0.05)


def test_the_encoder_is_planned_in_full_precision() -> None:
    for name in MEASURED:
        family = get_family(name)
        half, full = (needed(family, LADDER[1], size) for size in (2, 4))
        assert half > encoder_bytes(family) and full < 2 * half
        others = needed(replace(family, parts=without_encoder(family)), LADDER[0], 2)
        alone = needed(family, LADDER[0], 2) - others
        assert alone == pytest.approx(encoder_bytes(family), abs=0.1 * GB)


def without_encoder(family: Family) -> tuple[Part, ...]:
    return tuple(part for part in family.parts if part.kind != "encoder")


def test_each_step_needs_no_more_than_the_one_before() -> None:
    for name in ("pixcell-256-cells", "pixcell-1024", "stain-er"):
        sizes = [needed(get_family(name), setting, 2) for setting in LADDER[:-1]]
        assert sizes == sorted(sizes, reverse=True)
        assert sizes[0] > sizes[-1]


def test_full_precision_needs_twice_as_much_but_for_the_encoder() -> None:
    family = get_family("pixcell-256")
    half, full = (needed(family, LADDER[0], size) for size in (2, 4))
    others = family.bytes - encoder_bytes(family)
    assert full - half == pytest.approx(others / 2, rel=0.05)


def test_a_stain_needs_its_base_only_once() -> None:
    base, stain = (get_family(name) for name in ("pixcell-1024", "stain-her2"))
    assert needed(stain, LADDER[0], 2) - needed(base, LADDER[0], 2) < 0.12 * GB


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
        ("pixcell-256-cells", Machine(5 * GB, 64 * GB), "runs with the encoder moved out"),
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
