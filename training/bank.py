"""Images generated during training, with the real images whose embeddings they follow."""

from __future__ import annotations

import numpy as np
import torch
from common import Crops, symmetry, to_images, to_tensor
from diffusion import crop_position, sample
from torch import nn

from napari_pixcell.networks.autoencoder import DemoAutoencoder

STEPS = 10


class Bank:
    """The newest generated images and their real crops.

    Parameters
    ----------
    crops : Crops
        Source of the real crops.
    capacity : int
        Number of pairs kept. The oldest are dropped first.
    """

    def __init__(self, crops: Crops, capacity: int) -> None:
        self.crops = crops
        self.capacity = capacity
        self.pairs: list[tuple[str, np.ndarray, np.ndarray]] = []

    @torch.no_grad()
    def add(
        self,
        transformer: nn.Module,
        encoder: nn.Module,
        vae: DemoAutoencoder,
        count: int,
        generator: torch.Generator,
    ) -> None:
        """Generate from the embeddings of ``count`` random crops, four of each field."""
        places = []
        for _ in range(count // 4):
            first = self.crops.place()
            places += [first, *(self.crops.place(first[0]) for _ in range(3))]
        real = np.stack([self.crops.cut(place) for place in places])
        side = self.crops.size // 8
        crop_position(transformer, side // 2, generator)
        embeds = encoder(to_tensor(real) / 2 + 0.5).unsqueeze(1)
        seed = int(torch.randint(2**31, (1,), generator=generator))
        z = sample(transformer, embeds, side, steps=STEPS, seed=seed)
        with torch.autocast("cpu", torch.bfloat16):
            made = vae.decode(z.to(memory_format=torch.channels_last)).sample
        names = [place[0] for place in places]
        self.pairs += zip(names, real, to_images(made), strict=True)
        self.pairs = self.pairs[-self.capacity :]

    def views(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the images of ``count`` pairs, up to four per field, in random symmetries.

        Returns
        -------
        real, made : ndarray of uint8, shape (count, size, size, 3)
        """
        rng = self.crops.rng
        fields: dict[str, list[int]] = {}
        for index, (name, *_) in enumerate(self.pairs):
            fields.setdefault(name, []).append(index)
        chosen: list[int] = []
        while len(chosen) < count:
            one = fields[self.pairs[rng.integers(len(self.pairs))][0]]
            left = [i for i in one if i not in chosen]
            chosen += rng.permutation(left)[: min(4, count - len(chosen))].tolist()
        turned = [
            np.stack([symmetry(self.pairs[i][which], int(rng.integers(8))) for i in chosen])
            for which in (1, 2)
        ]
        return turned[0], turned[1]
