"""The request to evaluate a dataset, as a value for the worker. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from napari_pixcell.cells.methods import CELLPOSE_MODEL
from napari_pixcell.errors import PixCellError
from napari_pixcell.evaluation.arms import ARMS, CONTROLS, USUAL_ARMS, WITH_PAIRS
from napari_pixcell.serialization import from_json, to_json
from napari_pixcell.slides.pixel_size import checked_mpp

SEEDS, STEPS, SHARE = 5, 300, 0.5
MOST_SEEDS, MOST_STEPS = 100, 100_000
NETWORKS = U_NET, CELLPOSE = "u-net", "cellpose"
OUT = "evaluation"  # folder in the dataset


@dataclass(frozen=True)
class EvaluateRequest:
    """Measure whether the pairs of a dataset help to train a segmenter.

    It names folders, not pixels: trainings resume from the files in ``out``.

    Parameters
    ----------
    folder : str
        Folder of the dataset.
    real : str
        Folder of the real labelled tiles for training, see
        :func:`napari_pixcell.evaluation.tiles.read_tiles`.
    test : str
        Folder of those for testing. Without it, half of the slides of ``real`` are held out.
    out : str
        Folder of the results; by default ``evaluation`` in the dataset.
    mpp : float, optional
        Pixel size of the real tiles in µm. By default each file's own, else the dataset's.
    seeds : int
        Trainings of each arm, from different starting weights.
    steps : int
        Training steps of 8 crops on the real tiles alone.
    share : float
        Share of the pairs in the batches of the mixture.
    arms : tuple of str
        What is compared, names of :data:`napari_pixcell.evaluation.arms.ARMS`.

    network : str
        ``u-net``, the small one, or ``cellpose``, which is fine-tuned.
    model : str
        Cellpose model, see :func:`napari_pixcell.models.families.segmenter_file`.

    Raises
    ------
    PixCellError
        If a value is out of range.
    """

    kind: ClassVar[str] = "evaluate"

    folder: str
    real: str
    test: str = ""
    out: str = ""
    mpp: float | None = None
    seeds: int = SEEDS
    steps: int = STEPS
    share: float = SHARE
    arms: tuple[str, ...] = USUAL_ARMS
    network: str = NETWORKS[0]
    model: str = CELLPOSE_MODEL

    def __post_init__(self) -> None:
        limits = (
            ("number of seeds", self.seeds, 1, MOST_SEEDS),
            ("number of steps", self.steps, 1, MOST_STEPS),
            ("share of the pairs", self.share, 0.1, 0.9),
        )
        for name, value, low, high in limits:
            if not low <= value <= high:
                raise PixCellError(f"The {name} is {value}; choose one from {low} to {high}.")
        if self.network not in NETWORKS:
            raise PixCellError(
                f"There is no network “{self.network}”. Choose one of: {', '.join(NETWORKS)}."
            )
        for name in self.arms:
            if name not in ARMS:
                raise PixCellError(f"There is no arm “{name}”. Choose some of: {', '.join(ARMS)}.")
        if WITH_PAIRS not in self.arms or not {*CONTROLS} & {*self.arms}:
            raise PixCellError(
                f"The arms have nothing to compare. Include “{WITH_PAIRS}” and “{CONTROLS[0]}”."
            )
        if self.mpp is not None:
            checked_mpp(self.mpp)

    @property
    def results(self) -> Path:
        """Folder of the results."""
        return Path(self.out) if self.out else Path(self.folder) / OUT

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON value."""
        return {"kind": self.kind, **to_json(self)}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> EvaluateRequest:
        """Read what :meth:`to_dict` returned."""
        given = {name: one for name, one in value.items() if name != "kind"}
        return from_json(cls, given, "The request to evaluate a dataset is damaged. Repeat it.")
