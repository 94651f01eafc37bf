"""The answer of an evaluation: paired differences, intervals and the sentence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_pixcell.errors import PixCellError
from napari_pixcell.evaluation.arms import ARMS, BATCH, USUAL_ARMS, schedule
from napari_pixcell.evaluation.request import EvaluateRequest
from napari_pixcell.evaluation.results import MEASURES, TrainingResult
from napari_pixcell.evaluation.verdict import cost, difference, judge

TILES = [f"tile {number}" for number in range(1, 13)]
OWN = dict(zip(TILES, TILES, strict=True))  # each tile has a slide of its own


def results(gain: float, spread: float, seeds: int = 5, tiles: int = 12) -> list[TrainingResult]:
    """Return results in which the mixture gains so much, varying so much by tile and seed."""
    rng = np.random.default_rng(3)
    found = []
    for seed in range(seeds):
        base = rng.uniform(0.4, 0.6, tiles)
        gains = {"strong": 0.0, "strong-longer": 0.002, "mixed": gain}
        for arm, mean in gains.items():
            noise = spread * rng.normal(size=tiles) * (arm == "mixed")
            values = (base + mean + noise).tolist()
            scores = {
                name: {"aji": aji, "dice": aji, "pq": aji}
                for name, aji in zip(TILES, values, strict=False)
            }
            found.append(TrainingResult(arm, seed, "key", 10, 1.0, scores))
    return found


@pytest.mark.parametrize(
    ("gain", "spread", "answer", "beginning"),
    [
        (0.05, 0.03, "help", "The pairs help: AJI +0.0"),
        (-0.05, 0.03, "harm", "The pairs make it worse: AJI −0.0"),
        (0.002, 0.001, "do not help", "The pairs do not help: AJI "),
        (0.01, 0.1, "cannot be told", "It cannot be told whether the pairs help: AJI "),
    ],
)
def test_the_answer_follows_the_interval(gain, spread, answer, beginning) -> None:
    verdict = judge(results(gain, spread), OWN)
    assert verdict.answer == answer and verdict.sentence.startswith(beginning)
    assert "5 seeds, 12 test tiles of 12 slides." in verdict.sentence
    assert verdict.control == "strong-longer"  # the better one
    assert verdict.low < verdict.mean < verdict.high


@pytest.mark.parametrize(("seeds", "tiles"), [(2, 12), (5, 3)])
def test_few_seeds_or_tiles_give_no_answer(seeds: int, tiles: int) -> None:
    verdict = judge(results(0.2, 0.001, seeds, tiles), OWN)
    assert verdict.answer == "cannot be told"
    assert verdict.sentence.endswith("Use more test tiles or seeds.")


def test_tiles_of_one_slide_are_not_counted_as_independent() -> None:
    rng = np.random.default_rng(0)
    of_slide = {name: f"slide {number % 6}" for number, name in enumerate(TILES)}
    gains = {f"slide {number}": rng.normal(0, 0.05) for number in range(6)}
    found = []
    for seed in range(3):
        for arm in ("strong", "mixed"):
            scores = {
                name: dict.fromkeys(MEASURES, 0.5 + gains[of_slide[name]] * (arm == "mixed"))
                for name in TILES
            }
            found.append(TrainingResult(arm, seed, "key", 1, 1.0, scores))
    by_tile = difference(found, "mixed", "strong", OWN)
    by_slide = difference(found, "mixed", "strong", of_slide)
    assert by_slide.mean == by_tile.mean and (by_slide.slides, by_tile.slides) == (6, 12)
    assert by_slide.high - by_slide.low > 1.2 * (by_tile.high - by_tile.low)


def test_seeds_that_tested_different_tiles_are_compared_tile_by_tile() -> None:
    found = results(0.05, 0.0)
    for result in found:
        for name in TILES[6:] if result.seed % 2 else TILES[:6]:
            del result.tiles[name]  # a half, as without test tiles
    gain = difference(found, "mixed", "strong", OWN)
    assert gain.mean == pytest.approx(0.05) and gain.better == gain.tiles == 12
    assert gain.low == pytest.approx(0.05) == gain.high


def test_the_cost_in_time_is_told() -> None:
    found = [replace(one, seconds=46.0 if one.arm == "mixed" else 24.0) for one in results(0, 0)]
    assert cost(found) == "On one core, a training took 46 s with the pairs and 24 s without."


# -- arms and request ----------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
@pytest.mark.parametrize("name", ARMS)
def test_arms_with_real_tiles_see_the_same_number_of_real_crops(name: str, share: float) -> None:
    arm, plan = ARMS[name], schedule(ARMS[name], 60, share)
    real, made = plan.crops.sum(0)
    assert (plan.crops.sum(1) == BATCH).all() and len(plan.rates) == len(plan.crops)
    if arm.longer:
        assert len(plan.crops) == len(schedule(ARMS["mixed"], 60, share).crops) and not made
    elif arm.pairs == "only":
        assert not real
    else:
        assert real == pytest.approx(60 * BATCH, rel=0.02)
    assert bool(made) == (arm.pairs != "none")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seeds": 0}, "number of seeds is 0"),
        ({"steps": 0}, "number of steps is 0"),
        ({"share": 1.0}, "share of the pairs is 1.0"),
        ({"arms": ("few", "best")}, "There is no arm “best”"),
        ({"arms": ("few", "mixed")}, "nothing to compare"),
        ({"mpp": -1.0}, "-1"),
        ({"network": "gpt"}, "There is no network “gpt”"),
    ],
)
def test_values_out_of_range_get_one_sentence(values: dict, message: str) -> None:
    with pytest.raises(PixCellError, match=message):
        EvaluateRequest("data", "real", **values)


def test_a_request_survives_its_journey_to_the_worker() -> None:
    request = EvaluateRequest("data", "real", "test", mpp=0.25, arms=USUAL_ARMS[1:])
    assert EvaluateRequest.from_dict(request.to_dict()) == request
    with pytest.raises(PixCellError, match="The request to evaluate a dataset is damaged"):
        EvaluateRequest.from_dict({"kind": "evaluate", "folder": "data"})
