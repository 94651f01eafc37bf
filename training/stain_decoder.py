"""The decoder of the demo stain, because the demo family's own cannot draw brown.

That decoder was trained on H&E alone and draws DAB in purple. Its latents do distinguish brown from
blue. So only the first layer and those at a quarter of the side and above are trained: a seventh of
the autoencoder, stored as the tensors that differ.
"""

from __future__ import annotations

import torch
from common import Clock, Ema, load_run, save_run, to_tensor
from diffusion import load_vae
from stain_pairs import Pairs
from train_autoencoder import gradient_l1

from napari_pixcell.networks.autoencoder import DemoAutoencoder

LEARNING = ("decoder.0.", *(f"decoder.{index}." for index in range(5, 14)))
WINDOW = 16  # side of the window that is decoded at once, in latents


def load_stain_vae() -> DemoAutoencoder:
    """Load the autoencoder with the stain's decoder, trained or not."""
    vae = load_vae()
    state = load_run("stain_decoder")
    if state is not None:
        vae.load_state_dict(state["decoder"], strict=False)
    return vae


def decoder_tensors(vae: DemoAutoencoder) -> dict[str, torch.Tensor]:
    """Return the tensors that differ from the demo family's."""
    return {k: v.contiguous() for k, v in vae.state_dict().items() if k.startswith(LEARNING)}


def train_decoder(pairs: Pairs, minutes: float, batch: int = 12, rate: float = 1e-3) -> None:
    """Train for the given minutes, resuming from a checkpoint if there is one."""
    vae = load_stain_vae()
    generator = torch.Generator().manual_seed(int(torch.initial_seed()) % 2**31)
    vae.requires_grad_(False)
    for name, weight in vae.named_parameters():
        weight.requires_grad_(name.startswith(LEARNING))
    ema = Ema(vae, 0.99)
    trained = [p for p in vae.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, rate, betas=(0.9, 0.98), weight_decay=0.0)
    latents, pixels = pairs["latents"][1], pairs["pixels"][1]
    clock = Clock("stain_decoder", minutes)
    while clock.done < 1:
        for group in optimiser.param_groups:
            group["lr"] = clock.rate(rate)
        chosen = torch.randint(len(latents), (batch,), generator=generator)
        top, left = (int(n) for n in torch.randint(33 - WINDOW, (2,), generator=generator))
        z = latents[chosen, :, top : top + WINDOW, left : left + WINDOW].float()
        rows, columns = (slice(8 * n, 8 * (n + WINDOW)) for n in (top, left))
        wanted = to_tensor(pixels[chosen, rows, columns].numpy())
        with torch.autocast("cpu", torch.bfloat16):
            made = vae.decode(z.contiguous(memory_format=torch.channels_last)).sample
        made = made.float()
        loss = (made - wanted).abs().mean()
        total = loss + 0.5 * gradient_l1(made, wanted)
        optimiser.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        ema.update(vae)
        if clock.tick(25, l1=loss.item()):
            save_run("stain_decoder", decoder=decoder_tensors(ema.model))
    save_run("stain_decoder", decoder=decoder_tensors(ema.model))
