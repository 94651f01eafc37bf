"""Random colours of crops: other stains, scanners and cameras, from the tissue that there is."""

from __future__ import annotations

import numpy as np

GLASS = 245.0  # grey level of light that met no tissue
MOST_DENSITY = 2.4


def random_colours(rng: np.random.Generator, strength: float = 1.0) -> np.ndarray:
    """Draw a change of colours: a 3 x 4 matrix over optical density and a constant.

    Parameters
    ----------
    rng : Generator
    strength : float
        0 draws the identity.
    """
    # Each stain becomes stronger or paler, and its colour turns.
    change = np.eye(3) * np.exp(strength * rng.normal(0, 0.22))
    change += strength * rng.normal(0, 0.10, (3, 3))
    channels = np.exp(strength * rng.normal(0, 0.16, (3, 1)))
    tint = np.maximum(strength * rng.normal(0.0, 0.05, (3, 1)), -0.05)
    return np.concatenate([change * channels, tint], axis=1).astype(np.float32)


_DENSITY = -np.log(np.clip(np.arange(256, dtype=np.float32), 1, None) / GLASS)


def recolour(image: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Apply a change of colours to an image, uint8 (h, w, 3)."""
    density = _DENSITY[image] @ change[:, :3].T + change[:, 3]
    light = GLASS * np.exp(-np.clip(density, -0.04, MOST_DENSITY))
    return np.clip(light + 0.5, 0, 255).astype(np.uint8)
