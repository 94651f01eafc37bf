"""The record of an evaluation: everything that its numbers depend on. Imports no torch."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_pixcell.errors import PixCellError
from napari_pixcell.evaluation.results import TrainingResult, write_in
from napari_pixcell.serialization import from_json, to_json
from napari_pixcell.untrusted import read_json

RECORD = "evaluation.json"
KEY, SCHEMA = "napari-pixcell evaluation", 1
DAMAGED = f"{RECORD} is damaged. Evaluate the dataset again."


@dataclass(frozen=True)
class RecordedTile:
    """A real tile. Its name and slide are numbers, because files may be named after patients."""

    name: str
    slide: str
    sha256: str  # of image and labels
    nuclei: int


@dataclass(frozen=True)
class RecordedRound:
    """The tiles that one seed trained and tested on, by name, and the number of pairs."""

    seed: int
    real: tuple[str, ...]
    test: tuple[str, ...]
    pairs: int


@dataclass(frozen=True)
class EvaluationRecord:
    """An evaluation.

    The same dataset, tiles, settings and versions give the same numbers on the same kind of CPU.

    Parameters
    ----------
    dataset, dataset_id : str
        Name and id of the dataset.
    mpp : float
        Pixel size of all tiles, in µm.
    steps : int
    share : float
    network : str
    arms : tuple of str
        See :class:`napari_pixcell.evaluation.request.EvaluateRequest`.
    own_test : bool
        Whether test tiles were given; else each seed held out half of the slides.
    tiles : tuple of RecordedTile
    rounds : tuple of RecordedRound
    results : tuple of TrainingResult
    notes : tuple of str
        What was assumed or left out.
    versions : dict
        Versions of the libraries.
    """

    dataset: str
    dataset_id: str
    mpp: float
    steps: int
    share: float
    network: str
    arms: tuple[str, ...]
    own_test: bool
    tiles: tuple[RecordedTile, ...]
    rounds: tuple[RecordedRound, ...]
    results: tuple[TrainingResult, ...]
    notes: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def slides(self) -> dict[str, str]:
        """The slide of each tile."""
        return {tile.name: tile.slide for tile in self.tiles}

    @property
    def seconds(self) -> float:
        """Computing time of all trainings, on one core."""
        return sum(result.seconds for result in self.results)

    def write(self, folder: Path) -> Path:
        """Write the record to a folder, and return its path."""
        value = {KEY: SCHEMA, **to_json(self)}
        return write_in(folder, RECORD, json.dumps(value, indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def read(cls, folder: Path) -> EvaluationRecord:
        """Read the record of a folder.

        Raises
        ------
        PixCellError
            If it is missing, damaged or of another version.
        """
        value: Any = read_json(folder / RECORD)
        if not isinstance(value, dict) or value.get(KEY) != SCHEMA:
            raise PixCellError(DAMAGED)
        return from_json(cls, {k: v for k, v in value.items() if k != KEY}, DAMAGED)
