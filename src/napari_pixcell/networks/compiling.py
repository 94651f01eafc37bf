"""Regional compilation: all blocks share one function, which is compiled once."""

from __future__ import annotations

import logging

import torch

from napari_pixcell.networks.transformer import PixCellTransformer2DModel, pass_block

log = logging.getLogger(__name__)


def compile_blocks(network: PixCellTransformer2DModel) -> str:
    """Compile the blocks of a network, if this machine has a compiler.

    Parameters
    ----------
    network : PixCellTransformer2DModel
        On its device, in its precision; a ControlNet works as well. If compilation fails, the
        network stays as it was.

    Returns
    -------
    str
        Why compilation failed; empty if it succeeded.
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
            # A missing compiler shows only in the first pass.
            compiled(network.transformer_blocks[0], hidden, style.blocks[0], time.modulation)
        except Exception as error:  # each compiler raises errors of its own
            torch.compiler.reset()
            log.info("blocks are not compiled", exc_info=True)
            return f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200]}"
    network.pass_block = compiled
    return ""
