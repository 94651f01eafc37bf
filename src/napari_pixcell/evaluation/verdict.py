"""Whether the pairs help: paired differences, their uncertainty, and one sentence.

Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.evaluation.arms import CONTROLS, WITH_PAIRS
from napari_pixcell.evaluation.results import TrainingResult
from napari_pixcell.words import counted, duration

Answer = Literal["help", "harm", "do not help", "cannot be told"]
BEGINNINGS: dict[Answer, str] = {
    "help": "The pairs help",
    "harm": "The pairs make it worse",
    "do not help": "The pairs do not help",
    "cannot be told": "It cannot be told whether the pairs help",
}
RESAMPLES = 4000
CONFIDENCE = 95  # %
MATTERS = 0.01  # AJI; a smaller gain is no reason to use pairs
FEWEST_SEEDS, FEWEST_TILES = 3, 4  # with fewer, no answer is given
FEWEST_GROUPS = 5  # with fewer, tiles are resampled instead of slides


@dataclass(frozen=True)
class PairedDifference:
    """The gain in AJI of one arm over another, paired by test tile and seed.

    Parameters
    ----------
    arm, control : str
        Names of :data:`napari_pixcell.evaluation.arms.ARMS`.
    mean : float
        Mean over seeds and tiles.
    low, high : float
        Ends of the 95 % interval.
    seeds : tuple of float
        Mean of each seed.
    tiles, better : int
        Test tiles, and how many improved on average.
    slides : int
        Slides or patients of the test tiles.
    """

    arm: str
    control: str
    mean: float
    low: float
    high: float
    seeds: tuple[float, ...]
    tiles: int
    better: int
    slides: int

    @property
    def words(self) -> str:
        """The difference with its interval."""
        return (
            f"AJI {signed(self.mean)} ({CONFIDENCE} % interval {signed(self.low)} to "
            f"{signed(self.high)})"
        )

    @property
    def answer(self) -> Answer:
        """Whether the pairs of ``arm`` help, as far as the difference says.

        The pairs *help* if the whole interval is above 0, *harm* if it is below, and *do not help*
        if it excludes a gain of 0.01. Otherwise, and with less than 3 seeds or 4 tiles, it cannot
        be told.
        """
        if len(self.seeds) < FEWEST_SEEDS or self.tiles < FEWEST_TILES:
            return "cannot be told"
        if self.low > 0:
            return "help"
        if self.high < 0:
            return "harm"
        return "do not help" if self.high < MATTERS else "cannot be told"

    @property
    def sentence(self) -> str:
        """The answer for the user."""
        more = " Use more test tiles or seeds." if self.answer == "cannot be told" else ""
        return (
            f"{BEGINNINGS[self.answer]}: {self.words} over the few real tiles with strong "
            f"augmentation, {counted(len(self.seeds), 'seed')}, "
            f"{counted(self.tiles, 'test tile')} of {counted(self.slides, 'slide')}.{more}"
        )


def judge(results: Sequence[TrainingResult], groups: Mapping[str, str]) -> PairedDifference:
    """Return the difference that answers whether the pairs help.

    The mixture of real tiles and pairs is compared with strong augmentation of the real tiles
    alone. Of its two lengths the better one is the control, which favours the control a little.

    Parameters
    ----------
    results : sequence of TrainingResult
        With the mixture and at least one control.
    groups : mapping of str to str
        Slide or patient of each test tile.
    """
    arms = {result.arm for result in results}
    controls = [name for name in CONTROLS if name in arms]
    gains = [difference(results, WITH_PAIRS, control, groups) for control in controls]
    return min(gains, key=lambda one: one.mean)


def difference(
    results: Sequence[TrainingResult], arm: str, control: str, groups: Mapping[str, str]
) -> PairedDifference:
    """Return the gain of one arm over another, over the seeds and tiles that both have.

    The interval is a percentile bootstrap that resamples seeds and slides independently (the
    pigeonhole bootstrap; Owen, Annals of Applied Statistics 1, 2007). With less than 5 slides, it
    resamples tiles instead of slides, and says nothing about other slides.
    """
    scores = [
        {result.seed: result.tiles for result in results if result.arm == name}
        for name in (arm, control)
    ]
    cells = [
        (seed, tile, scores[0][seed][tile]["aji"] - scores[1][seed][tile]["aji"])
        for seed in sorted(scores[0].keys() & scores[1].keys())
        for tile in sorted(scores[0][seed].keys() & scores[1][seed].keys())
    ]
    gains = np.array([cell[2] for cell in cells])
    seeds, at_seed = np.unique([cell[0] for cell in cells], return_inverse=True)
    tiles, at_tile = np.unique([cell[1] for cell in cells], return_inverse=True)
    slides, slide_of = np.unique([groups[tile] for tile in tiles.tolist()], return_inverse=True)
    by_slide = len(slides) >= FEWEST_GROUPS
    unit = slide_of[at_tile] if by_slide else at_tile
    low, high = _interval(gains, at_seed, unit)
    return PairedDifference(
        arm,
        control,
        float(gains.mean()),
        low,
        high,
        tuple(float(gains[at_seed == number].mean()) for number in range(len(seeds))),
        len(tiles),
        sum(bool(gains[at_tile == number].mean() > 0) for number in range(len(tiles))),
        len(slides),
    )


def _interval(
    gains: NDArray[np.float64], seed: NDArray[np.int64], unit: NDArray[np.int64]
) -> tuple[float, float]:
    """Return the ends of the bootstrap interval of the mean of ``gains``."""
    sums = np.zeros((seed.max() + 1, unit.max() + 1))
    counts = np.zeros_like(sums)
    np.add.at(sums, (seed, unit), gains)
    np.add.at(counts, (seed, unit), 1)
    rng = np.random.default_rng(0)
    draws = [
        rng.multinomial(count, np.full(count, 1 / count), RESAMPLES).astype(float)
        for count in sums.shape
    ]
    totals, sizes = (np.einsum("bs,su,bu->b", draws[0], part, draws[1]) for part in (sums, counts))
    means = totals[sizes > 0] / sizes[sizes > 0]
    tail = (100 - CONFIDENCE) / 2
    low, high = np.percentile(means, (tail, 100 - tail))
    return float(low), float(high)


def cost(results: Sequence[TrainingResult]) -> str:
    """Return the computing time that the pairs take in training, in a sentence."""
    with_pairs, without = (
        duration(float(np.median([result.seconds for result in results if result.arm in arms])))
        for arms in ((WITH_PAIRS,), CONTROLS)
    )
    return f"On one core, a training took {with_pairs} with the pairs and {without} without."


def signed(value: float) -> str:
    """Return a difference with its sign: “+0.041”, “−0.020”."""
    return f"{value:+.3f}".replace("-", "−")
