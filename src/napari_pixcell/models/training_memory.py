"""Memory planning of the training of a ControlNet, before anything is loaded. Imports no torch.

File sizes are those of the catalogue. Working memory is estimated from the arrays that a pass keeps
for the backward pass.
"""

from __future__ import annotations

from dataclasses import dataclass

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import PIXCELL_256_CELLS, Family
from napari_pixcell.models.memory import FULL, GB, LIBRARIES, RESERVE, STORED, WIDTH
from napari_pixcell.words import counted

CARDS = (16, 24, 48, 80)  # GB
HALF = 2
# Float32 numbers for each weight that is trained: the weight, its gradient, two means of Adam.
TRAINED = 4
BLOCKS = 28 + 27  # of transformer and ControlNet
# Arrays of the hidden width for each patch that a block keeps for the backward pass.
KEPT = 34
PATCH = 16  # px


@dataclass(frozen=True)
class ControlPlan:
    """How a ControlNet is trained within a device's memory.

    Parameters
    ----------
    at_once : int
        Tiles per pass. The gradients of several passes make a step.
    recompute : bool
        Whether blocks are computed again in the backward pass (gradient checkpointing).
    needed : int
        Estimated peak memory in bytes; 0 for small networks, for which it is not estimated.
    """

    at_once: int
    recompute: bool
    needed: int

    def words(self, batch: int) -> str:
        """Return the plan in a sentence; ``batch`` is the number of tiles per step."""
        if not self.needed:
            return f"Trains {counted(self.at_once, 'tile')} at once."
        passes = -(-batch // self.at_once)
        how = f"{self.at_once} of " if passes > 1 else ""
        how += f"{counted(batch, 'tile')} at once"
        again = ", with gradient checkpointing" if self.recompute else ""
        return f"Trains {how}{again}, in about {self.needed / GB:.0f} GB."


def control_bytes(family: Family, at_once: int, recompute: bool, half: bool = True) -> int:
    """Estimate the peak memory of training a ControlNet on a family, in bytes.

    ``half`` is whether passes run in bfloat16.
    """
    size = HALF if half else FULL
    base = _stored(family, "transformer")
    control = _stored(family, "controlnet") or _stored(PIXCELL_256_CELLS, "controlnet")
    held = base * size // STORED + control * TRAINED
    if half:
        held += control * HALF // STORED  # autocast keeps a copy of the weights
    patches = (family.tile // PATCH) ** 2
    # With checkpointing a pass keeps the input of each block, and all arrays of one block.
    arrays = BLOCKS + KEPT if recompute else BLOCKS * KEPT
    return held + at_once * patches * WIDTH * arrays * size + LIBRARIES


def plan_control(family: Family, free_bytes: int, batch: int, half: bool = True) -> ControlPlan:
    """Return the fastest plan that fits into the free memory of a device.

    Raises
    ------
    PixCellError
        If none fits.
    """
    transformer = family.part("transformer")
    if family.bundled or transformer is None or not transformer.hub_id:
        return ControlPlan(batch, False, 0)
    room = free_bytes * (1 - RESERVE)
    for recompute in (False, True):
        at_once = batch
        while at_once:
            needed = control_bytes(family, at_once, recompute, half)
            if needed <= room and (recompute or at_once == batch):
                return ControlPlan(at_once, recompute, needed)
            at_once //= 2
    least = control_bytes(family, 1, True, half)
    raise PixCellError(
        f"Training a ControlNet of {family.title} needs about {least / (1 - RESERVE) / GB:.0f} GB "
        f"of free memory, but {free_bytes / GB:.0f} GB are free. Use a larger GPU, or close other "
        "programs that use this one."
    )


def card_words(family: Family, batch: int) -> list[str]:
    """Return for each usual size of a GPU how it trains a ControlNet of a family."""
    lines = []
    for size in CARDS:
        try:
            words = plan_control(family, size * GB, batch).words(batch)
        except PixCellError:
            words = "Too small."
        lines.append(f"{size} GB: {words}")
    return lines


def _stored(family: Family, kind: str) -> int:
    return next((part.bytes for part in family.parts if part.kind == kind), 0)
