"""Results of trainings: what one found, and the folder in which they are kept. Imports no torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_pixcell.errors import PixCellError
from napari_pixcell.files import write_whole
from napari_pixcell.serialization import from_json, to_json
from napari_pixcell.untrusted import read_json

MEASURES = {"aji": "AJI", "dice": "Dice", "pq": "PQ"}
TRAININGS = "trainings"  # folder of single results
Scores = dict[str, float]  # by the names of MEASURES


@dataclass(frozen=True)
class TrainingResult:
    """What one training reached on the test tiles.

    Raises PixCellError if a measure is missing.

    Parameters
    ----------
    arm : str
        Name of the arm, of :data:`napari_pixcell.evaluation.arms.ARMS`.
    seed : int
    key : str
        Hash of everything that the result depends on.
    steps : int
    seconds : float
        Computing time of training and test, on one core.
    tiles : dict
        Scores of each test tile, by its name in the record.
    """

    arm: str
    seed: int
    key: str
    steps: int
    seconds: float
    tiles: dict[str, Scores]

    def __post_init__(self) -> None:
        if not self.tiles or any(
            scores.keys() != MEASURES.keys() for scores in self.tiles.values()
        ):
            raise PixCellError("The result of a training is damaged. Evaluate the dataset again.")

    def mean(self, measure: str = "aji") -> float:
        """Return the mean of a measure over the test tiles."""
        return sum(scores[measure] for scores in self.tiles.values()) / len(self.tiles)


def key_of(**parts: Any) -> str:
    """Return the hash of JSON values that a training depends on."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


class TrainingStore:
    """Results of trainings in a folder, one file each, written as soon as a training ends.

    Parameters
    ----------
    folder : Path
        Created when the first result is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / TRAININGS

    def find(self, key: str) -> TrainingResult | None:
        """Return the result with a key, or None if there is none that can be read."""
        path = self.folder / f"{key}.json"
        if not path.is_file():
            return None
        try:
            found = from_json(TrainingResult, read_json(path), "damaged")
        except PixCellError:
            return None  # it is trained again
        return found if found.key == key else None

    def keep(self, result: TrainingResult) -> None:
        """Write a result.

        Raises
        ------
        PixCellError
            If the folder is not writable.
        """
        text = json.dumps(to_json(result), indent=1) + "\n"
        write_in(self.folder, f"{result.key}.json", text)


def write_in(folder: Path, name: str, text: str) -> Path:
    """Write a file of the evaluation and return its path; raise PixCellError if that fails."""
    from napari_pixcell.datasets.export import write_problem

    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / name, text)
    except OSError as error:
        raise write_problem(folder / name, error) from error
    return folder / name
