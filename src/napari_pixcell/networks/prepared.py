"""Values reused across the denoising steps: those that never change, and those that hardly do."""

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
        For each block the output of its attention, (batch, 1, width), if there is one token. Else
        its keys and values, (batch, heads, tokens, head width).
    """

    blocks: list[tuple[Tensor, ...]]

    def __len__(self) -> int:
        return len(self.blocks[0][0])

    def __getitem__(self, images: slice) -> PreparedStyle:
        return PreparedStyle([tuple(t[images] for t in block) for block in self.blocks])

    def expand(self, batch: int) -> PreparedStyle:
        """Repeat a single style for every image of a batch."""
        return PreparedStyle(
            [tuple(t.expand(batch, *t.shape[1:]) for t in block) for block in self.blocks]
        )

    @classmethod
    def cat(cls, styles: list[PreparedStyle]) -> PreparedStyle:
        """Concatenate batches."""
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
        For the output layer.
    """

    modulation: Tensor
    embedded: Tensor

    def __getitem__(self, times: slice) -> PreparedTime:
        return PreparedTime(self.modulation[times], self.embedded[times])


class DeltaCache:
    """The change that a span of blocks makes to the hidden state, reused in later steps.

    After Δ-DiT (arXiv 2406.01125): neighbouring steps change the hidden state alike. Residuals
    of a ControlNet within the span are part of the change, so they are never added twice.

    Parameters
    ----------
    span : range
        Indices of the blocks; not empty.

    Attributes
    ----------
    change : Tensor or None
        The last computed change. If None, the next pass computes it.
    """

    def __init__(self, span: range) -> None:
        self.span = span
        self.change: Tensor | None = None
        self._entered: Tensor | None = None

    def skips(self, block: int) -> bool:
        """Whether a block is skipped in this pass."""
        return block in self.span and self._entered is None

    def enter(self, block: int, hidden: Tensor) -> Tensor:
        """Return the hidden state before a block. At the start of the span, add a stored change."""
        if block != self.span.start:
            return hidden
        if self.change is not None:
            return hidden + self.change
        self._entered = hidden
        return hidden

    def leave(self, block: int, hidden: Tensor) -> None:
        """Store the change at the end of the span. ``hidden`` is the state after the block."""
        if block == self.span.stop - 1 and self._entered is not None:
            self.change, self._entered = hidden - self._entered, None
