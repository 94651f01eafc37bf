"""Whether generated tissue follows the cells of held-out tiles, and their classes.

Cells of a generated image are compared with those that were asked for, and with those of another
tile. With classes, each cell is also asked what it looks like: a linear discriminant, fitted to
the pixels of real cells, names its class. To tell the colour of a class from the shape of its
cells, each tile is generated again with all classes exchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells import segment_nuclei
from napari_pixcell.cells.class_map import ClassMap
from napari_pixcell.cells.faithfulness import faithfulness
from napari_pixcell.cells.layout import areas
from napari_pixcell.serialization import to_json

LEAST_PX = 12  # of a cell whose look is measured
FLAT = 1e-3  # optical density: a spread below this is none
SHRINKAGE = 0.1  # of the covariance towards a multiple of the identity
ALL = "all cells"


@dataclass(frozen=True)
class ClassAgreement:
    """How well generated tissue follows the cells of one class, or of all.

    Parameters
    ----------
    name : str
        The class.
    cells : int
        Cells that were asked for in held-out tiles.
    placed : float
        Share of them that the image shows.
    shuffled : float
        Share of the cells of another tile that it shows.
    recognised, mistaken : float, optional
        Share of the cells of this class that look like it, and of the cells of other classes that
        do.
    repainted, before : float, optional
        Share of the cells of other classes that look like this class once they are painted in its
        colour, and while they have their own.
    """

    name: str
    cells: int
    placed: float
    shuffled: float
    recognised: float | None = None
    mistaken: float | None = None
    repainted: float | None = None
    before: float | None = None

    @property
    def follows(self) -> bool:
        """Whether agreement is clearly above that of shuffled cells and classes."""
        if self.placed < self.shuffled + 0.2:
            return False
        if self.recognised is None or self.mistaken is None:
            return True
        kept = self.repainted is None or self.before is None or self.repainted > self.before + 0.1
        return self.recognised > self.mistaken + 0.1 and kept

    def sentence(self) -> str:
        """Return the figures in words."""
        text = f"{self.name}: {self.placed:.0%} placed ({self.shuffled:.0%} shuffled)"
        if self.recognised is not None:
            text += f", {self.recognised:.0%} look like it ({self.mistaken:.0%} of the others)"
        if self.repainted is not None:
            text += f", {self.repainted:.0%} if repainted ({self.before:.0%} before)"
        return text

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON value."""
        return to_json(self) | {"follows": self.follows}


@dataclass(frozen=True, eq=False)
class GateTile:
    """A held-out tile, and the images that were generated for its cells.

    Parameters
    ----------
    real, made : array, uint8, (side, side, 3)
    labels : array, int32, (side, side)
    classes : ClassMap, optional
    exchanged : array, uint8, (side, side, 3), optional
        Image for :func:`exchanged` classes.
    """

    real: NDArray[np.uint8]
    labels: NDArray[np.int32]
    classes: ClassMap | None
    made: NDArray[np.uint8]
    exchanged: NDArray[np.uint8] | None = None


def exchanged(classes: ClassMap, labels: NDArray[Any]) -> ClassMap:
    """Return a class map in which each cell has the next class of the palette."""
    found = areas(labels)[0]
    index = (classes.indices(found) + 1) % len(classes.palette)
    members = tuple(
        tuple(found[index == number].tolist()) for number in range(len(classes.palette))
    )
    return ClassMap(classes.palette, members)


def agreement(
    tiles: Sequence[GateTile], training: Sequence[tuple[NDArray[Any], NDArray[Any]]], mpp: float
) -> list[ClassAgreement]:
    """Compute the agreement of all cells, then of each class.

    Parameters
    ----------
    tiles : sequence of GateTile
        Held-out tiles.
    training : sequence of (features, class indices)
        Looks of real cells, see :func:`looks`, to fit the discriminant to.
    mpp : float
        Pixel size in µm.
    """
    own: dict[int, list[bool]] = {}
    other: dict[int, list[bool]] = {}
    segmented = [segment_nuclei(tile.made, mpp) for tile in tiles]
    for number, tile in enumerate(tiles):
        beside = tiles[number - 1] if len(tiles) > 1 else _turned(tile)
        for found, source in ((own, tile), (other, beside)):
            placed = set(faithfulness(source.labels, segmented[number], mpp).placed.tolist())
            labels = areas(source.labels)[0]
            index = np.zeros(len(labels), int)
            if source.classes is not None:
                index = source.classes.indices(labels)
            for label, one in zip(labels.tolist(), index.tolist(), strict=True):
                found.setdefault(one, []).append(label in placed)
    every = ClassAgreement(ALL, _count(own), _mean(own), _mean(other))
    classes = tiles[0].classes
    if classes is None:
        return [every]
    looked = _Looks(tiles, training)
    rows = [every]
    for which, (name, _) in enumerate(classes.palette):
        mine, strange = own.get(which, []), other.get(which, [])
        if mine:
            rows.append(
                ClassAgreement(
                    name or "without a class",
                    len(mine),
                    float(np.mean(mine)),
                    float(np.mean(strange)) if strange else 0.0,
                    *looked.shares(which),
                )
            )
    return rows


def _turned(tile: GateTile) -> GateTile:
    labels = np.ascontiguousarray(np.rot90(tile.labels, 2))
    return GateTile(tile.real, labels, tile.classes, tile.made)


def _count(found: dict[int, list[bool]]) -> int:
    return sum(map(len, found.values()))


def _mean(found: dict[int, list[bool]]) -> float:
    values = [one for part in found.values() for one in part]
    return float(np.mean(values)) if values else 0.0


class _Looks:
    """What cells look like, in the images generated for their classes and for exchanged ones."""

    def __init__(
        self, tiles: Sequence[GateTile], training: Sequence[tuple[NDArray[Any], NDArray[Any]]]
    ) -> None:
        fitted = [np.concatenate(parts) for parts in zip(*training, strict=True)]
        self.seen, self.asked, self.again, self.repainted = [], [], [], []
        count = len(tiles[0].classes.palette) if tiles[0].classes is not None else 0
        discriminant = Discriminant(fitted[0], fitted[1], count)
        for tile in tiles:
            assert tile.classes is not None
            features, index = looks(tile.made, tile.labels, tile.classes)
            self.seen.append(discriminant(features))
            self.asked.append(index)
            if tile.exchanged is not None:
                features, _ = looks(tile.exchanged, tile.labels, tile.classes)
                self.again.append(discriminant(features))
                self.repainted.append((index + 1) % count)

    def shares(self, index: int) -> tuple[float | None, ...]:
        """Return the last four figures of an :class:`ClassAgreement`."""
        seen, asked = np.concatenate(self.seen), np.concatenate(self.asked)
        figures = [_share(seen[asked == index] == index), _share(seen[asked != index] == index)]
        if self.again:
            again, repainted = np.concatenate(self.again), np.concatenate(self.repainted)
            painted = repainted == index
            figures += [_share(again[painted] == index), _share(seen[painted] == index)]
        return tuple(figures)


def _share(values: NDArray[np.bool_]) -> float | None:
    return float(np.mean(values)) if len(values) else None


def looks(
    image: NDArray[np.uint8], labels: NDArray[Any], classes: ClassMap
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Measure what each cell looks like, by its pixels and not by its shape.

    Stains differ more between slides than cells do within one. Therefore a cell is measured
    against the tissue of its image and against the other cells in it.

    Returns
    -------
    features : array, (cells, 12)
        Mean optical density of red, green and blue above the tissue around the cells, mean
        density, its standard deviation, and its upper decile, likewise: in standard deviations of
        the density of the image, then in those of the cells from their mean.
    index : array, (cells,)
        Index of the class of each.
    """
    density = -np.log10(np.maximum(image.astype(np.float64), 1) / 255)
    outside = density[labels == 0]
    around = np.median(outside, axis=0) if len(outside) else np.zeros(3)
    found, sizes = areas(labels)
    found = found[sizes >= LEAST_PX]
    order = np.argsort(labels, axis=None, kind="stable")
    ordered = labels.ravel()[order]
    starts, stops = (np.searchsorted(ordered, found, side) for side in ("left", "right"))
    values = (density - around).reshape(-1, 3)
    measured = np.empty((len(found), 6))
    for number, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        own = values[order[start:stop]]
        mean = own.mean(axis=1)
        measured[number] = (*own.mean(axis=0), mean.mean(), mean.std(), np.quantile(mean, 0.9))
    of_tissue = measured / (density.mean(axis=-1).std() + FLAT)
    of_cells = np.zeros_like(measured)
    if len(measured) > 1:
        of_cells = (measured - measured.mean(axis=0)) / (measured.std(axis=0) + FLAT)
    return np.concatenate([of_tissue, of_cells], axis=1), classes.indices(found)


class Discriminant:
    """A linear discriminant with equal priors, fitted to the looks of real cells."""

    def __init__(
        self, features: NDArray[np.float64], index: NDArray[np.intp], classes: int
    ) -> None:
        self._centre, self._scale = features.mean(axis=0), features.std(axis=0) + 1e-9
        scaled = (features - self._centre) / self._scale
        known = [number for number in range(classes) if (index == number).any()]
        self._known = np.array(known)
        means = np.stack([scaled[index == number].mean(axis=0) for number in known])
        within = np.concatenate(
            [scaled[index == n] - mean for n, mean in zip(known, means, strict=True)]
        )
        covariance = within.T @ within / max(len(within), 1)
        size = len(covariance)
        ridge = SHRINKAGE * np.trace(covariance) / size * np.eye(size)
        inverse = np.linalg.inv((1 - SHRINKAGE) * covariance + ridge + 1e-9 * np.eye(size))
        self._weights = means @ inverse
        self._bias = -0.5 * np.einsum("kd,kd->k", self._weights, means)

    def __call__(self, features: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the index of the class that each cell looks like."""
        scores = (features - self._centre) / self._scale @ self._weights.T + self._bias
        named: NDArray[np.intp] = self._known[scores.argmax(axis=1)]
        return named
