"""What is carried over the steps of a generation: what never changes, and what hardly does."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class PreparedStyle:
    """Embeddings as the cross-attention of each block reads them.

    Parameters
    ----------
    blocks : list of tuple of Tensor
        For each block its outcome, (batch, 1, width), where there is one token; else keys and
        values, (batch, heads, tokens, head width).
    """

    blocks: list[tuple[Tensor, ...]]

    def __len__(self) -> int:
        return len(self.blocks[0][0])

    def __getitem__(self, images: slice) -> PreparedStyle:
        return PreparedStyle([tuple(t[images] for t in block) for block in self.blocks])

    def expand(self, batch: int) -> PreparedStyle:
        """Give the one style to every image of a batch."""
        return PreparedStyle(
            [tuple(t.expand(batch, *t.shape[1:]) for t in block) for block in self.blocks]
        )

    @classmethod
    def cat(cls, styles: list[PreparedStyle]) -> PreparedStyle:
        """Put batches one after the other."""
        blocks = zip(*(style.blocks for style in styles), strict=True)
        return cls([tuple(map(torch.cat, zip(*block, strict=True))) for block in blocks])


@dataclass(frozen=True)
class PreparedTime:
    """Times as the blocks and the output layer read them.

    Parameters
    ----------
    modulation : Tensor, (batch or 1, 6, width)
        Shifts, scales and gates of the blocks.
    embedded : Tensor, (batch or 1, width)
        Of the output layer.
    """

    modulation: Tensor
    embedded: Tensor

    def __getitem__(self, times: slice) -> PreparedTime:
        return PreparedTime(self.modulation[times], self.embedded[times])


class Middle:
    """A span of blocks whose change to the hidden state is kept from one step for the next.

    After Δ-DiT (2406.01125): neighbouring steps change the hidden state alike. What a ControlNet
    adds within the span is part of the change, and so never added twice.

    Parameters
    ----------
    span : range
        Of blocks, not empty.

    Attributes
    ----------
    change : Tensor or None
        As it was last computed; None has the next pass compute it.
    """

    def __init__(self, span: range) -> None:
        self.span = span
        self.change: Tensor | None = None
        self._entered: Tensor | None = None

    def skips(self, block: int) -> bool:
        """Whether a block need not be run in this pass."""
        return block in self.span and self._entered is None

    def enter(self, block: int, hidden: Tensor) -> Tensor:
        """Give what a block starts from: past the span, where its change is known."""
        if block != self.span.start:
            return hidden
        if self.change is not None:
            return hidden + self.change
        self._entered = hidden
        return hidden

    def leave(self, block: int, hidden: Tensor) -> None:
        """Take note of what a block gave."""
        if block == self.span.stop - 1 and self._entered is not None:
            self.change, self._entered = hidden - self._entered, None
