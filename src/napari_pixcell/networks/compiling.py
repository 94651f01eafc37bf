"""Regional compilation: the one function that every block runs, compiled once."""

from __future__ import annotations

import logging

import torch

from napari_pixcell.networks.transformer import PixCellTransformer2DModel, pass_block

log = logging.getLogger(__name__)


def compile_blocks(network: PixCellTransformer2DModel) -> str:
    """Compile what the blocks of a network run, if this machine can.

    Parameters
    ----------
    network : PixCellTransformer2DModel
        On its device, in its precision; a ControlNet is one too. It works as before where
        compiling fails.

    Returns
    -------
    str
        Why it was left out; empty if it works.
    """
    compiled = torch.compile(pass_block, dynamic=False)
    side = network.config.sample_size // network.config.patch_size
    with torch.inference_mode():
        style = network.prepare_style(network.unconditional(2).to(network.dtype))
        time = network.prepare_times(torch.tensor([500], device=network.device), network.dtype)
        hidden = torch.zeros(
            2, side**2, network.inner_dim, dtype=network.dtype, device=network.device
        )
        try:
            # A compiler's absence shows in the first pass only.
            compiled(network.transformer_blocks[0], hidden, style.blocks[0], time.modulation)
        except Exception as error:  # compilers fail in their own ways
            torch.compiler.reset()
            log.info("blocks are not compiled", exc_info=True)
            return f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200]}"
    network.pass_block = compiled
    return ""
