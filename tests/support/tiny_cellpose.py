"""A Cellpose model of 0.9 million parameters that finds round nuclei, trained in a second.

    python tests/tiny_cellpose.py FILE

The network is Cellpose's own class on a small encoder of segment-anything, which stays as it was
drawn; its readout is solved for on pictures of dark discs on a light ground.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

SIDE, PATCH = 256, 8


def discs(seed: int, shape: tuple[int, int] = (SIDE, SIDE)) -> tuple[np.ndarray, np.ndarray]:
    """Give a picture, uint8 (height, width, 3), and the label image of its nuclei."""
    random = np.random.default_rng(seed)
    labels = np.zeros(shape, np.int32)
    y, x = np.mgrid[: shape[0], : shape[1]]
    for _ in range(120):
        inside = (y - random.uniform(0, shape[0])) ** 2 + (x - random.uniform(0, shape[1])) ** 2
        disc = inside < random.uniform(6, 9) ** 2
        if not labels[disc].any():
            labels[disc] = labels.max() + 1
    image = np.where(labels[..., None] > 0, (90, 50, 130), (235, 200, 220))
    return (image + random.normal(0, 6, image.shape)).clip(0, 255).astype(np.uint8), labels


def write_tiny(path: Path) -> None:
    """Train the model and save it as Cellpose saves its own."""
    import torch
    from cellpose import dynamics, transforms
    from cellpose.vit import CPSAM
    from segment_anything import sam_model_registry
    from segment_anything.build_sam import _build_sam

    published = sam_model_registry["vit_l"]
    # One block whose attention is in windows, as in the published network.
    sam_model_registry["vit_l"] = lambda _: _build_sam(64, 2, 2, [1])
    try:
        torch.manual_seed(0)
        network = CPSAM().eval()
    finally:
        sam_model_registry["vit_l"] = published
    kept: list[Any] = []
    hook = network.encoder.neck.register_forward_hook(lambda *values: kept.append(values[2]))
    features, targets = [], []
    for seed in range(6):
        image, labels = discs(seed)
        normal = transforms.normalize_img(image[None].astype(np.float32))[0].transpose(2, 0, 1)
        with torch.no_grad():
            network(torch.from_numpy(np.ascontiguousarray(normal))[None])
        features.append(kept.pop()[0].flatten(1).T.numpy())
        flows = dynamics.labels_to_flows([labels], device=torch.device("cpu"))[0]
        wanted = np.stack([5 * flows[2], 5 * flows[3], np.where(labels > 0, 6.0, -6.0)])
        side = SIDE // PATCH
        parts = wanted.reshape(3, side, PATCH, side, PATCH).transpose(1, 3, 0, 2, 4)
        targets.append(parts.reshape(side * side, -1))
    hook.remove()
    known = np.concatenate(features)
    known = np.c_[known, np.ones(len(known))]
    ridge = known.T @ known + 0.1 * np.eye(known.shape[1])
    solved = np.linalg.solve(ridge, known.T @ np.concatenate(targets))
    with torch.no_grad():
        network.out.weight.copy_(torch.from_numpy(solved[:-1].T[..., None, None]))
        network.out.bias.copy_(torch.from_numpy(solved[-1]))
    network.save_model(str(path))


if __name__ == "__main__":
    write_tiny(Path(sys.argv[1]))
