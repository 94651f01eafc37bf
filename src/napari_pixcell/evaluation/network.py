"""A small U-Net for nuclei and their cores, from which a watershed makes instances."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn

WIDTHS = (16, 32, 64)
FOLD = 2  # side of the blocks read and written at once, which is four times faster
MULTIPLE = FOLD * 2 ** (len(WIDTHS) - 1)  # of which the sides must be
SMALLEST_PX = 20  # a disc of 2.5 µm at 0.5 µm/px
CORE = 0.5  # relative depth at which the core begins, which no other nucleus touches


class NucleusUNet(nn.Module):
    """Nuclei of RGB images, 0.12 million weights.

    ``forward`` receives images, float (N, 3, height, width) in [-1, 1], with sides that are
    multiples of 8. It returns the logits of nucleus and core, (N, 2, height, width).
    """

    def __init__(self) -> None:
        super().__init__()
        ins = (3 * FOLD**2, *WIDTHS[:-1])
        self.down = nn.ModuleList(_block(a, b) for a, b in zip(ins, WIDTHS, strict=True))
        pairs = list(zip(WIDTHS[1:], WIDTHS[:-1], strict=True))[::-1]
        self.up = nn.ModuleList(_block(a + b, b) for a, b in pairs)
        self.head = nn.Conv2d(WIDTHS[0], 2 * FOLD**2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of nucleus and core."""
        x = nn.functional.pixel_unshuffle(x, FOLD)
        kept = []
        for level, block in enumerate(self.down):
            x = block(nn.functional.max_pool2d(x, 2) if level else x)
            kept.append(x)
        for block, beside in zip(self.up, kept[-2::-1], strict=True):
            x = nn.functional.interpolate(x, scale_factor=2.0)
            x = block(torch.cat([x, beside], 1))
        return nn.functional.pixel_shuffle(self.head(x), FOLD)


def _block(ins: int, outs: int) -> nn.Sequential:
    # No batch norm, because some arms mix two kinds of images in a batch.
    layers: list[nn.Module] = []
    for width in (ins, outs):
        layers.append(nn.Conv2d(width, outs, 3, padding=1, bias=False))
        layers += [nn.InstanceNorm2d(outs, affine=True), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def targets_of(labels: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Return the training target: nucleus and core.

    Parameters
    ----------
    labels : array, int32, (height, width)
        Instance label image.

    Returns
    -------
    array, uint8, (2, height, width)
        0 or 1.
    """
    out = np.zeros((2, *labels.shape), np.uint8)
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        nucleus = np.pad(labels[box] == number, 1)
        distance = ndimage.distance_transform_edt(nucleus)[1:-1, 1:-1]
        out[0][box][distance > 0] = 1
        out[1][box][distance > CORE * distance.max()] = 1
    return out


def instances(nucleus: NDArray[np.float32], core: NDArray[np.float32]) -> NDArray[np.int32]:
    """Return the label image of the network's output, the probabilities of nucleus and core."""
    from skimage.segmentation import watershed

    mask = nucleus > 0.5
    seeds, count = ndimage.label(mask & (core > 0.5))
    parts, _ = ndimage.label(mask)
    without = (parts > 0) & ~np.isin(parts, np.unique(parts[seeds > 0]))
    seeds[without] = count + parts[without]  # a nucleus without a core also counts
    labels = np.asarray(watershed(-core, seeds, mask=mask), np.int32)
    labels[np.bincount(labels.ravel())[labels] < SMALLEST_PX] = 0
    return labels


@torch.inference_mode()
def segment_tile(net: NucleusUNet, image: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Segment one image, uint8 (height, width, 3), into int32 (height, width)."""
    net.eval()
    height, width = image.shape[:2]
    padding = [(0, -side % MULTIPLE) for side in (height, width)]
    padded = np.pad(image, [*padding, (0, 0)], mode="reflect")
    said = torch.sigmoid(net(as_tensor(padded[None]))[0]).numpy()
    nucleus, core = said[:, :height, :width]
    return instances(nucleus, core)


def as_tensor(images: NDArray[np.uint8]) -> Tensor:
    """Convert images, uint8 (N, height, width, 3), to floats (N, 3, height, width) in [-1, 1]."""
    return torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float().div(127.5).sub(1)
