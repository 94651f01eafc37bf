"""Settings and outcome of the repair of nuclei that do not follow a layout. Imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from napari_pixcell.cells.faithfulness import Faithfulness
from napari_pixcell.cells.methods import SegmentMethod
from napari_pixcell.errors import PixCellError, check_range
from napari_pixcell.serialization import OMIT_DEFAULT
from napari_pixcell.words import counted, duration

ROUNDS, MOST_ROUNDS = 3, 20
MOST_SECONDS = 86_400.0
MOST_LABEL = 2**32 - 1
DAMAGED = (
    "The outcome of a repair in this record is damaged. Use a record that was not edited by hand."
)
REPAIRING = "Repairing"  # first word of the progress of a round
ONE_TILE = "Repair works on single tiles. This image is larger, so its nuclei were not repaired."


@dataclass(frozen=True)
class Repair:
    """How a variant's nuclei are compared with its layout, and wrong ones generated again.

    Parameters
    ----------
    rounds : int
        Most rounds, 0 to 20. With 0, the nuclei are only compared.
    seconds : float, optional
        No round begins after this time. The request in a record has none, but the number of rounds
        that were done, so that it gives the same pixels on a slower machine.
    method : SegmentMethod
        How the nuclei of the variant are segmented.

    Raises
    ------
    PixCellError
        If a value is out of range.
    """

    rounds: int = ROUNDS
    seconds: float | None = None
    method: SegmentMethod = field(default_factory=SegmentMethod)

    def __post_init__(self) -> None:
        check_range("number of repair rounds", self.rounds, 0, MOST_ROUNDS)
        if self.seconds is not None:
            check_range("time for the repair", self.seconds, 0, MOST_SECONDS, " s")

    def without_path(self) -> Repair:
        """Return the same settings with only the file name of the segmenter's model."""
        return replace(self, method=replace(self.method, model=self.method.model_name))


@dataclass(frozen=True)
class NucleusCounts:
    """Number of nuclei of each kind of :class:`~napari_pixcell.cells.faithfulness.Faithfulness`."""

    placed: int
    partial: int
    missing: int
    extra: int

    @classmethod
    def of(cls, found: Faithfulness) -> NucleusCounts:
        """Count the nuclei of a comparison."""
        return cls(len(found.placed), len(found.partial), len(found.missing), len(found.extra))

    def plus(self, other: NucleusCounts) -> NucleusCounts:
        """Return the counts of two variants together."""
        return NucleusCounts(
            self.placed + other.placed,
            self.partial + other.partial,
            self.missing + other.missing,
            self.extra + other.extra,
        )

    @property
    def wanted(self) -> int:
        """Number of nuclei of the layout."""
        return self.placed + self.partial + self.missing


@dataclass(frozen=True)
class RepairOutcome:
    """How well a variant follows its layout, before and after its repair.

    Parameters
    ----------
    before, after : NucleusCounts
        Equal without a round.
    partial, missing : tuple of int
        Labels of the layout's nuclei that are still partial or missing.
    rounds : int
        Rounds that were done.
    seconds : float
        Time that comparison and rounds took.
    dropped : bool
        Whether the mask lacks the nuclei that are still wrong.

    Raises
    ------
    PixCellError
        If a label or the time is not possible, as in a record that was edited by hand.
    """

    before: NucleusCounts
    after: NucleusCounts
    partial: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()
    rounds: int = 0
    seconds: float = 0.0
    dropped: bool = field(default=False, metadata=OMIT_DEFAULT)

    def __post_init__(self) -> None:
        known = all(0 < label <= MOST_LABEL for label in (*self.partial, *self.missing))
        if not known or not 0 <= self.seconds < math.inf:
            raise PixCellError(DAMAGED)

    @property
    def wrong(self) -> tuple[int, ...]:
        """Labels of the layout's nuclei that the variant does not show, in ascending order."""
        return tuple(sorted({*self.partial, *self.missing}))

    def plus(self, other: RepairOutcome | None) -> RepairOutcome:
        """Return the outcome of two variants together, without labels, which belong to one."""
        if other is None:
            return self
        return RepairOutcome(
            before=self.before.plus(other.before),
            after=self.after.plus(other.after),
            rounds=self.rounds + other.rounds,
            seconds=self.seconds + other.seconds,
        )

    def sentence(self) -> str:
        """Return the outcome in words.

        For example “68 of 71 nuclei placed (59 before repair), 2 extra; 4 s”.
        """
        text = f"{self.after.placed:,} of {counted(self.after.wanted, 'nucleus', 'nuclei')} placed"
        if self.rounds:
            text += f" ({self.before.placed:,} before repair)"
        if self.after.extra:
            text += f", {self.after.extra:,} extra"
        if self.dropped and self.wrong:
            text += f", {len(self.wrong):,} dropped from the mask"
        return f"{text}; {duration(self.seconds)}" if self.rounds else text
