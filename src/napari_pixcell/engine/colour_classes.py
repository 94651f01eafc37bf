"""The change of colour that moves nuclei and the rest apart. Imports no torch.

A style and a layout rarely agree in their share of nuclei, and a network may give nuclei another
hue than their surroundings ask for. Statistics of all tissue mend neither. Here two normal
distributions of colour, of nuclei and of the rest, tell how probably a colour is that of a nucleus,
and it moves by that mixture of two shifts. So there is no seam along the outlines of a layout.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_pixcell.engine.colour_change import ROUNDS, Change, Doubles, unclipped
from napari_pixcell.engine.tissue_colours import (
    ClassCount,
    Floats,
    Triple,
    tissue_part,
    to_lab,
    to_rgb,
)

SPREAD = 2.0  # L*, a*, b*: added to the spread of a class, so that no border between them is sharp
LEAST_APART = 0.25  # how far colours must tell nuclei from the rest, 0 to 1
DAMPING = 0.05  # of the solution for the two shifts, because the classes overlap in colour


@dataclass(frozen=True)
class _Classes:
    """Two normal distributions of colour: of nuclei, and of the rest."""

    means: Doubles  # (2, 3)
    inverses: Doubles  # (2, 3, 3), of the covariances
    logs: Doubles  # (2,), of the shares over the square roots of the determinants

    def nuclear(self, lab: Floats) -> Floats:
        """Return how probably colours, (…, 3), are those of nuclei, 0 to 1."""
        scores = []
        for mean, inverse, log in zip(self.means, self.inverses, self.logs, strict=True):
            apart = lab - mean.astype(np.float32)
            distance = ((apart @ inverse.astype(np.float32)) * apart).sum(axis=-1)
            scores.append(np.float32(log) - distance / 2)
        return np.asarray(1 / (1 + np.exp(np.clip(scores[1] - scores[0], -60, 60))), np.float32)


@dataclass(frozen=True)
class _ClassChange:
    """A change that moves nuclei by one shift and the rest by another, and blends in between."""

    classes: _Classes
    shifts: Doubles  # (2, 3)

    def lab(self, lab: Floats, part: Floats) -> Floats:
        nuclear, (nuclei, rest) = self.classes.nuclear(lab)[..., None], self.shifts
        shift = rest.astype(np.float32) + nuclear * (nuclei - rest).astype(np.float32)
        return np.asarray(lab + part[..., None] * shift, np.float32)


def class_change(
    count: ClassCount, target: tuple[Triple, Triple], most: float = 1.0, drawn: bool = False
) -> Change | None:
    """Return the change after which nuclei and the rest have the mean colours of the target.

    None if the image has too few nuclei, if colours hardly tell them from the rest, or if even a
    part of the change would clip much of the tissue. The share of nuclei does not matter.

    Parameters
    ----------
    count : ClassCount
        The colours of the image.
    target : tuple of two tuples of 3 float
        Mean colours of nuclei and of the rest.
    most : float
        The largest part of the change, 0 to 1.
    drawn : bool
        Move nuclei as much in lightness as the rest, because they were drawn darker or paler.
    """
    if not count.enough:
        return None
    tables = [one.table() for one in (count.nuclei, count.rest)]
    labs, parts = [to_lab(rgb) for rgb, _ in tables], [tissue_part(rgb) for rgb, _ in tables]
    weights = [counts * part for (_, counts), part in zip(tables, parts, strict=True)]
    classes = _classes(labs, weights)
    # Of the pixels of each class, the mean part of their shift that each class's shift makes up.
    nuclear = [classes.nuclear(lab) for lab in labs]
    made_up = np.array(
        [
            [w @ (p * n) / w.sum(), w @ (p * (1 - n)) / w.sum()]
            for w, p, n in zip(weights, parts, nuclear, strict=True)
        ]
    )
    if made_up[0, 0] - made_up[1, 0] < LEAST_APART:
        return None
    solve = np.linalg.inv(made_up.T @ made_up + DAMPING * np.eye(2)) @ made_up.T
    goals, shifts = np.array(target), np.zeros((2, 3))
    for _ in range(ROUNDS):
        change = _ClassChange(classes, shifts)
        now = []
        for lab, part, (_, counts) in zip(labs, parts, tables, strict=True):
            rgb = to_rgb(change.lab(lab, part)).clip(0, 1)
            weight = counts * tissue_part(rgb)
            now.append(weight @ to_lab(rgb) / max(weight.sum(), 1.0))
        left = goals - np.array(now)
        step = solve @ left
        if drawn:
            step[:, 0] = left[1, 0]
        shifts = shifts + step
    lab, part = np.concatenate(labs), np.concatenate(parts)
    counts = np.concatenate([counts for _, counts in tables])
    return unclipped(
        lambda strength: _ClassChange(classes, strength * shifts), lab, part, counts, most
    )


def _classes(labs: list[Floats], weights: list[Doubles]) -> _Classes:
    """Return the distributions of colours, (n, 3), by their weights, of nuclei and of the rest."""
    total = sum(weight.sum() for weight in weights)
    means, inverses, logs = [], [], []
    for lab, weight in zip(labs, weights, strict=True):
        share = weight / weight.sum()
        mean = share @ lab
        apart = lab - mean
        covariance = (apart * share[:, None]).T @ apart + SPREAD**2 * np.eye(3)
        means.append(mean)
        inverses.append(np.linalg.inv(covariance))
        logs.append(np.log(weight.sum() / total) - np.linalg.slogdet(covariance)[1] / 2)
    return _Classes(np.array(means), np.array(inverses), np.array(logs))
