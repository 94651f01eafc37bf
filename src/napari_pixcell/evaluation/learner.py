"""What an evaluation asks of a segmenter that is trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.evaluation.arms import Schedule
from napari_pixcell.evaluation.tiles import LabelledTile

Tiles = tuple[LabelledTile, ...]
Segmenting = Callable[[NDArray[np.uint8]], NDArray[np.int32]]


class Learner(Protocol):
    """A segmenter that can be trained on tiles."""

    @property
    def identity(self) -> list[Any]:
        """JSON values on which its results depend, apart from tiles, schedule and seed."""

    @property
    def most_at_once(self) -> int:
        """How many trainings may run at a time."""

    @property
    def note(self) -> str:
        """What the user should know before it starts; empty if nothing."""

    def learn(
        self,
        real: Tiles,
        made: Tiles,
        plan: Schedule,
        harder: bool,
        seed: int,
        on_step: Callable[[], None] = lambda: None,
    ) -> Segmenting:
        """Train on real tiles and pairs, and return a function that segments an image.

        Parameters
        ----------
        real, made : tuple of LabelledTile
            Real tiles, and pairs.
        plan : Schedule
            How many crops of each a step sees.
        harder : bool
            Whether augmentation is strong.
        seed : int
            Of the first weights and of the crops.
        on_step : callable
            Called before each step. An exception ends the training.
        """
