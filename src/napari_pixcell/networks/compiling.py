"""Regional compilation: all blocks share one function, which is compiled once."""

from __future__ import annotations

import logging

import torch

from napari_pixcell.networks.transformer import PixCellTransformer2DModel, pass_block

log = logging.getLogger(__name__)

TOLERANCE = 0.05  # of the largest value; half precision needs most of it


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
        noise = torch.randn(
            2, side**2, network.inner_dim, generator=torch.Generator().manual_seed(0)
        )
        hidden = noise.to(network.device, network.dtype)
        inputs = network.transformer_blocks[0], hidden, style.blocks[0], time.modulation
        try:
            # A missing compiler shows only in the first pass.
            result = compiled(*inputs)
        except Exception as error:  # each compiler raises errors of its own
            torch.compiler.reset()
            log.info("blocks are not compiled", exc_info=True)
            return f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200]}"
        expected = pass_block(*inputs)
        # Inductor's code for CPUs without AVX-512 has returned NaN, which fails this as well.
        if not (result - expected).abs().max() < TOLERANCE * expected.abs().max():
            torch.compiler.reset()
            return "compiled blocks return different numbers on this machine"
    network.pass_block = compiled
    return ""
