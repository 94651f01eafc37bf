"""The ways of training that are compared: which crops each step sees. Imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

BATCH = 8  # crops per step
WARM_UP = 20  # steps
AGAIN = 0.5  # of the peak learning rate, when fine-tuning starts

Order = Literal["none", "mixed", "fading", "first", "only"]


@dataclass(frozen=True)
class TrainingArm:
    """A way to train the segmenter.

    Every arm with real tiles sees the same number of real crops, apart from those marked longer:
    they take as many steps as the mixture, and thus see more real crops than any other.

    Parameters
    ----------
    words : str
        What it is trained on.
    pairs : str
        How the pairs take part: ``none``; ``mixed`` into each batch; ``fading``, from pairs alone
        to real crops alone; ``first``, before fine-tuning on real crops; or ``only``.
    strong : bool
        Whether augmentation also changes size, colours and sharpness.
    longer : bool
        Whether an arm without pairs takes as many steps as the mixture.
    """

    words: str
    pairs: Order = "none"
    strong: bool = True
    longer: bool = False


ARMS = {
    "few": TrainingArm("few real", strong=False),
    "few-longer": TrainingArm("few real, as many steps as mixed", strong=False, longer=True),
    "strong": TrainingArm("few real, strong augmentation"),
    "strong-longer": TrainingArm(
        "few real, strong augmentation, as many steps as mixed", longer=True
    ),
    "mixed": TrainingArm("few real + pairs, mixed, strong augmentation", "mixed"),
    "mixed-plain": TrainingArm("few real + pairs, mixed", "mixed", strong=False),
    "fading": TrainingArm("few real + pairs that fade, strong augmentation", "fading"),
    "pretrained": TrainingArm("pairs first, then few real, strong augmentation", "first"),
    "pairs": TrainingArm("pairs alone, strong augmentation", "only"),
}
WITH_PAIRS = "mixed"  # the way whose gain is judged
CONTROLS = ("strong", "strong-longer")  # the better of them is what the pairs must beat
USUAL_ARMS = ("few", *CONTROLS, WITH_PAIRS, "pretrained")


@dataclass(frozen=True, eq=False)
class Schedule:
    """What each step of a training sees.

    Parameters
    ----------
    crops : array of int, (steps, 2)
        Real crops and crops of pairs in the batch.
    rates : array of float, (steps,)
        Learning rate, as a fraction of its peak.
    """

    crops: NDArray[np.int64]
    rates: NDArray[np.float64]


def schedule(arm: TrainingArm, steps: int, share: float) -> Schedule:
    """Return what each step of an arm sees.

    Parameters
    ----------
    arm : TrainingArm
    steps : int
        Steps on the real tiles alone, which set the number of real crops.
    share : float
        Share of the pairs in the batches of the mixture, above 0 and below 1.
    """
    made = min(BATCH - 1, max(1, round(BATCH * share)))
    mixture = math.ceil(steps * BATCH / (BATCH - made))
    match arm.pairs:
        case "mixed":
            real = np.full(mixture, BATCH - made)
        case "fading":
            # As many real crops as pairs, from pairs alone at the start to none at the end.
            real = np.floor((np.arange(2 * steps) + 0.5) / (2 * steps) * (BATCH + 1)).astype(int)
        case "first":
            real = np.repeat((0, BATCH), steps)
        case "only":
            real = np.zeros(mixture, int)
        case "none":
            real = np.full(mixture if arm.longer else steps, BATCH)
    rates = _decay(len(real))
    if arm.pairs == "first":
        rates = np.concatenate([_decay(steps), AGAIN * _decay(steps)])
    return Schedule(np.stack([real, BATCH - real], 1).astype(np.int64), rates)


def _decay(steps: int) -> NDArray[np.float64]:
    """Return a warm-up and a cosine decay to 0."""
    step = np.arange(steps)
    cosine = 0.5 * (1 + np.cos(np.pi * step / steps))
    return np.asarray(np.minimum(1, (step + 1) / WARM_UP) * cosine, np.float64)
