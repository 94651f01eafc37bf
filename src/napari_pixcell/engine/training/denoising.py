"""The denoising loss, which adapters and ControlNets are trained with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

MOST_SNR = 5.0


class Examples(NamedTuple):
    """A batch of training examples.

    Parameters
    ----------
    latents : Tensor, (batch, channels, height, width)
        Clean latents of what is to be generated.
    embeddings : Tensor, (batch, tokens, dimension)
        Their styles.
    starts : Tensor, like the latents, optional
        Clean latents of the H&E of the same tissue, if the pairs are aligned.
    """

    latents: Tensor
    embeddings: Tensor
    starts: Tensor | None = None


class Noising:
    """Makes noisy latents and the targets to predict from them, by a scheduler's configuration."""

    def __init__(self, scheduler: Mapping[str, Any]) -> None:
        from diffusers import DPMSolverMultistepScheduler

        made = DPMSolverMultistepScheduler.from_config(dict(scheduler))
        self._kept = made.alphas_cumprod.float()
        self._velocity = made.config.prediction_type == "v_prediction"

    def __call__(
        self, examples: Examples, from_start: float, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return noisy latents, prediction targets, their weights, and the times."""
        clean, device = examples.latents.float(), examples.latents.device
        count, last = len(clean), len(self._kept) - 1
        # Stratified times, so that batches differ little.
        spread = (torch.arange(count) + torch.rand(count, generator=generator)) / count
        times = (spread * (last + 1)).long().clamp(0, last)
        begun = times + (torch.rand(count, generator=generator) * (last + 1 - times)).long()
        snr = self._kept / (1 - self._kept)
        left = (snr[begun.clamp(max=last)] / snr[times]).sqrt()
        left = left * (torch.rand(count, generator=generator) < from_start)
        shape = (-1, 1, 1, 1)
        alpha, sigma = (
            values[times].sqrt().view(shape).to(device) for values in (self._kept, 1 - self._kept)
        )
        weight = snr[times].clamp(max=MOST_SNR) / (snr[times] + (1 if self._velocity else 0))
        noise = torch.randn(clean.shape, generator=generator).to(device)
        mixed = clean
        if examples.starts is not None:
            mixed = clean + left.view(shape).to(device) * (examples.starts.float() - clean)
        noisy = alpha * mixed + sigma * noise
        # Not the added noise, but the prediction that leads from here to the clean latents.
        wanted = (alpha * noisy - clean if self._velocity else noisy - alpha * clean) / sigma
        return noisy, wanted, weight.view(shape).to(device), times

    def errors(
        self,
        predict: Callable[[Tensor, Tensor, Tensor], Tensor],
        examples: Examples,
        generator: torch.Generator,
        precision: torch.dtype | None,
        from_start: float = 0.0,
    ) -> Tensor:
        """Return the weighted squared errors of a prediction, like the latents.

        Parameters
        ----------
        predict : callable
            Returns the prediction for noisy latents, embeddings and times, in autocast. Channels
            beyond those of the latents are ignored.
        precision : torch.dtype, optional
            Precision of autocast. By default none.
        from_start : float
            Fraction of the examples that start from the H&E.
        """
        noisy, wanted, weight, times = self(examples, from_start, generator)
        device = noisy.device
        with torch.autocast(device.type, precision, enabled=precision is not None):
            made = predict(noisy, examples.embeddings, times.to(device))
        return weight * (made[:, : noisy.shape[1]].float() - wanted).square()


def drop_styles(
    transformer: Any, embeddings: Tensor, share: float, generator: torch.Generator
) -> Tensor:
    """Return embeddings, (batch, tokens, dimension), a random share of them unconditional."""
    count = len(embeddings)
    drop = torch.rand(count, 1, 1, generator=generator).to(embeddings.device) < share
    return torch.where(drop, transformer.unconditional(count).to(embeddings), embeddings)
