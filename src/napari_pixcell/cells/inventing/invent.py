"""Invent a layout from a recipe: number, sizes, shapes and positions of cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, special

from napari_pixcell.cells.editing import place
from napari_pixcell.cells.inventing.centres import (
    Bodies,
    Floats,
    ObservationWindow,
    Sampler,
    centres,
    grid_shape,
)
from napari_pixcell.cells.inventing.recipe import Recipe, draw_classes
from napari_pixcell.cells.inventing.stamps import StampLibrary, default_library
from napari_pixcell.cells.layout import MAX_CELLS, in_px
from napari_pixcell.errors import PixCellError, check_range
from napari_pixcell.words import counted

LARGEST_SIDE = 16_384
WIDEST = 2.5  # standard deviations at which areas and elongations are clipped
LONGEST = 8.0
SMALLEST_PX = 6
NEAR_TRIES, FAR_POINTS, FAR_TRIES = 10, 64, 8
STEP_UM = 0.4  # distance from the centre that each further try adds
SAMPLE = 4096  # directions drawn for their quantiles
ROUND = 1e4  # κ for an alignment of 1
REPORT_EVERY = 100  # cells between two progress reports

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Invented:
    """An invented layout.

    Parameters
    ----------
    labels : array, int32, (height, width)
        Instance label image, numbered from 1.
    placed, wanted : int
        Number of cells placed, and number required by the density.
    classes : dict
        Class of each label, if the recipe has classes.
    """

    labels: NDArray[np.int32]
    placed: int
    wanted: int
    classes: dict[int, str] = field(default_factory=dict)

    def __str__(self) -> str:
        if self.placed == self.wanted:
            return f"{counted(self.placed, 'cell')} placed."
        return (
            f"{self.placed:,} of {self.wanted:,} cells placed; there is no room for the rest. "
            "Lower the density, the area or the gap."
        )


def invent(
    recipe: Recipe,
    shape: tuple[int, int],
    mpp: float,
    library: StampLibrary | None = None,
    density_map: NDArray[Any] | None = None,
    on_progress: OnProgress = lambda done, total: None,
) -> Invented:
    """Return a layout with the statistics of a recipe.

    It has fewer cells than wanted if there is no room for them. The same arguments give the same
    labels, unless numpy's generators change between versions.

    Parameters
    ----------
    shape : (height, width) in px
    mpp : float, µm per pixel
    library : StampLibrary, optional
        Outlines to draw. Default: the bundled ones.
    density_map : array, (any, any), optional
        Density relative to the recipe's, stretched over the layout: 1 is the recipe's density, 2
        twice as dense, 0 without cell centres.
    on_progress : callable, optional
        Called with the number of cells processed (0 while centres are drawn) and of all cells. It
        may raise to cancel.

    Raises
    ------
    PixCellError
        If the size or the density map is invalid, or there would be more than ``MAX_CELLS`` cells.
    """
    _check_size(shape, mpp)
    library = library or default_library()
    size = shape[0] * mpp, shape[1] * mpp
    # Cells with centres just outside are partly visible.
    margin = min(float(np.sqrt(recipe.area_um2 / np.pi)), min(size) / 4)
    origin = -margin - mpp / 2, -margin - mpp / 2
    full = size[0] + 2 * margin, size[1] + 2 * margin
    weight = _weights(density_map, grid_shape(full), margin, size)
    mean = 1.0 if density_map is None else float(weight.mean())
    wanted = round(recipe.density * mean * size[0] * size[1] / 1e6)
    if wanted > MAX_CELLS:
        raise PixCellError(
            f"The layout would have {wanted:,} cells, more than {MAX_CELLS:,}. Lower the density "
            "or use a smaller region."
        )
    rng = np.random.default_rng(recipe.seed)
    area, elongation, angle = _sizes(recipe, wanted, mpp, rng)
    radius, stretch = np.sqrt(area / np.pi), np.sqrt(elongation)
    bodies = Bodies(radius * stretch, radius / stretch, angle)
    window = ObservationWindow(origin, full, weight)
    gap = max(recipe.gap_um, mpp)
    points, clusters = centres(
        window, bodies, gap, recipe.clustering, rng, lambda: on_progress(0, wanted)
    )
    labels = np.zeros(shape, np.int32)
    placed, samplers = 0, (clusters, Sampler(window))
    painter = _Painter(labels, mpp, library, max(1, ceil(recipe.gap_um / mpp)), rng)
    # Large cells first, because small ones fit between them.
    for done, cell in enumerate(np.argsort(-area, kind="stable")):
        if done % REPORT_EVERY == 0:
            on_progress(done, wanted)
        body = _Body(float(area[cell]), float(elongation[cell]), float(angle[cell]))
        placed += painter.near(points[cell], body, placed + 1, NEAR_TRIES) or painter.anywhere(
            samplers, body, placed + 1
        )
    return Invented(labels, placed, wanted, _classes(recipe, placed, rng))


@dataclass(frozen=True)
class _Body:
    """Area in µm², elongation and angle (radians) of a cell."""

    area: float
    elongation: float
    angle: float


@dataclass(frozen=True)
class _Painter:
    """Painter that draws cells at their centres, or nearby if there is no room."""

    labels: NDArray[np.int32]
    mpp: float
    library: StampLibrary
    gap_px: int
    rng: np.random.Generator

    def near(self, point: Floats, body: _Body, label: int, tries: int) -> bool:
        """Try to draw a cell at growing distances, with varying angles and outlines."""
        alike = self.library.alike(body.elongation)
        for attempt in range(tries):
            u = self.rng.random(6)
            off = (2 * u[:2] - 1) * attempt * STEP_UM
            centre = (point + off) / self.mpp
            if self._taken(centre):
                continue
            outline = self.library.draw(
                int(alike[int(u[2] * len(alike))]),
                self.mpp,
                area_um2=body.area,
                angle=body.angle + (u[3] - 0.5) * 0.06 * attempt,
                elongation=body.elongation,
                mirrored=u[4] < 0.5,
            )
            if place(self.labels, outline, tuple(centre), label=label, gap_px=self.gap_px):
                return True
        return False

    def anywhere(self, samplers: tuple[Sampler, ...], body: _Body, label: int) -> bool:
        """Try other points of the clusters, then of the whole window."""
        short = np.sqrt(body.area / np.pi / body.elongation)
        for sampler in samplers:
            points = sampler.draw(self.rng, FAR_POINTS)
            points = points[self._free(points, short)][:FAR_TRIES]
            if any(self.near(point, body, label, 3) for point in points):
                return True
        return False

    def _free(self, points: Floats, radius: float) -> NDArray[np.bool_]:
        """Whether points, and four positions around each, are free of cells."""
        around = np.array([(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)]) * radius
        at = np.rint((points[:, None] + around) / self.mpp).astype(np.int64)
        at = np.clip(at, 0, np.array(self.labels.shape) - 1)
        free: NDArray[np.bool_] = self.labels[at[..., 0], at[..., 1]].max(axis=1) == 0
        return free

    def _taken(self, centre: Floats) -> bool:
        y, x = round(centre[0]), round(centre[1])
        height, width = self.labels.shape
        return 0 <= y < height and 0 <= x < width and bool(self.labels[y, x])


def _check_size(shape: tuple[int, int], mpp: float) -> None:
    check_range("pixel size", mpp, 0.05, 10, " µm")
    if len(shape) != 2 or not all(1 <= side <= LARGEST_SIDE for side in shape):
        raise PixCellError(
            f"A layout cannot be {in_px(shape)}. Choose a width and a height from 1 to "
            f"{LARGEST_SIDE:,} px."
        )


def _weights(
    density_map: NDArray[Any] | None,
    grid: tuple[int, int],
    margin: float,
    size: tuple[float, float],
) -> Floats:
    """Return a density map stretched over the window's grid; the margin repeats its border."""
    if density_map is None:
        return np.ones(grid)
    values = np.asarray(density_map, float)
    if values.ndim != 2 or not values.size:
        raise PixCellError(
            "The density map is not a greyscale image. Choose one with 2 dimensions."
        )
    if not np.isfinite(values).all() or values.min() < 0:
        raise PixCellError(
            "The density map has negative or infinite values. Use 0 or more, where 1 is the "
            "density of the recipe."
        )
    if not values.any():
        raise PixCellError("The density map is 0 everywhere. Paint where cells should be.")
    at = []
    for count, length, pixels in zip(grid, size, values.shape, strict=True):
        um = (np.arange(count) + 0.5) / count * (length + 2 * margin) - margin
        at.append(np.clip(um / length, 0, 1) * pixels - 0.5)
    rows, columns = np.meshgrid(*at, indexing="ij")
    smooth = ndimage.map_coordinates(values, (rows, columns), order=1, mode="nearest")
    nearest = ndimage.map_coordinates(values, (rows, columns), order=0, mode="nearest")
    weight = np.where(nearest > 0, np.maximum(smooth, 0), 0.0)
    return weight if weight.any() else np.where(smooth > 0, smooth, 0.0)


def _sizes(
    recipe: Recipe, count: int, mpp: float, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats]:
    """Return random areas in µm², elongations and angles."""

    def parts() -> Floats:  # stratified, so that few cells already follow the distribution
        return (rng.permutation(count) + rng.random(count)) / max(1, count)

    def normal() -> Floats:
        return np.asarray(np.clip(special.ndtri(parts()), -WIDEST, WIDEST))

    area = recipe.area_um2 * np.exp(recipe.area_spread * normal())
    elongation = 1 + (recipe.elongation - 1) * np.exp(recipe.elongation_spread * normal())
    # The order parameter of a von Mises distribution of the doubled angle is A(κ).
    sample = np.sort(rng.vonmises(0.0, concentration(recipe.alignment), SAMPLE))
    doubled = np.quantile(sample, parts()) if count else np.zeros(0)
    angle = np.mod(np.deg2rad(recipe.direction) + doubled / 2, np.pi)
    return np.maximum(area, SMALLEST_PX * mpp**2), np.minimum(elongation, LONGEST), angle


def concentration(alignment: float) -> float:
    """Return the κ of a von Mises distribution with a mean resultant length of ``alignment``.

    The approximation of Best and Fisher (1981), as in Fisher (1993), *Statistical analysis of
    circular data*, 4.5.5.
    """
    a = alignment
    if a < 0.53:
        return 2 * a + a**3 + 5 * a**5 / 6
    if a < 0.85:
        return -0.4 + 1.39 * a + 0.43 / (1 - a)
    return min(ROUND, 1 / max(a**3 - 4 * a**2 + 3 * a, 1 / ROUND))


def _classes(recipe: Recipe, placed: int, rng: np.random.Generator) -> dict[int, str]:
    if not recipe.classes:
        return {}
    drawn = enumerate(draw_classes(recipe.classes, placed, rng), 1)
    return {label: name for label, name in drawn if name}
