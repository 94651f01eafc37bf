"""The pictures of a dataset compared with the real tissue of its styles, in figures and words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.processes import Processes
from napari_pixcell.datasets.quality.copies import RealTiles
from napari_pixcell.datasets.quality.distribution import (
    ENOUGH,
    FEWEST,
    Distribution,
    compare,
    principal_axes,
)
from napari_pixcell.datasets.recipe.preparing import real_files
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.decisions import are_used, decided
from napari_pixcell.datasets.store.embeddings import KeptEmbeddings
from napari_pixcell.datasets.store.table import PairTable
from napari_pixcell.errors import PixCellError
from napari_pixcell.serialization import to_json
from napari_pixcell.words import counted

MOST_READ = 4000  # pictures, and about as many real tiles; more would change little
MOST_PARTS = 12  # slides or styles that are compared on their own
MOST_SHOWN = 300  # points of a scatter plot, of each kind
LIKE = 0.1  # densities that differ by less than this share are alike
ELSEWHERE = (
    "The real tissue of the styles is not on this machine. To compare the pictures with it, write "
    "the report where the dataset was begun."
)
NOT_EMBEDDED = (
    "The pictures have not been embedded, so they cannot be compared with real tissue. Run "
    "“dataset resume” on the machine where the dataset was begun, then write the report again."
)

Floats = NDArray[np.float32]
Figures = list[tuple[str, str, str, str]]  # measure, of the pictures, of real tiles, meaning


@dataclass(frozen=True)
class Samples:
    """Embeddings of pictures or real tiles, and the number of the style of each."""

    values: Floats  # (samples, dimension)
    styles: NDArray[np.int32]  # (samples,)


@dataclass(frozen=True)
class TissueComparison:
    """Pictures compared with real tissue.

    Parameters
    ----------
    notes : list of str
        Why there are no figures, or what limits them.
    whole : Distribution, optional
        All pictures.
    part : str
        What each part is: “slide”, or “style” if all styles are of one slide.
    parts : dict of str to Distribution
        The largest parts with enough samples.
    points : (array, array), optional
        Real tiles and pictures along the two main axes of the real tiles: (samples, 2).
    """

    notes: list[str] = field(default_factory=list)
    whole: Distribution | None = None
    part: str = "slide"
    parts: dict[str, Distribution] = field(default_factory=dict)
    points: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON value without the points."""
        parts = {name: to_json(one) for name, one in self.parts.items()}
        whole = to_json(self.whole) if self.whole is not None else None
        return {"whole": whole, "parts": parts, "notes": self.notes}


def compare_with_tissue(
    dataset: Dataset, pairs: PairTable, processes: Processes | None = None
) -> TissueComparison | None:
    """Compare the pictures that are exported with the real tiles of their styles.

    No model is needed: the embeddings of the pictures are in the dataset, those of the real tiles
    in the user's own data folder.

    Parameters
    ----------
    dataset : Dataset
    pairs : PairTable
        Its pairs.
    processes : Processes, optional
        Read the rows of many pairs.

    Returns
    -------
    TissueComparison or None
        None if no style has tissue, or no picture is exported.
    """
    if not any(row["look"] for row in dataset.style_rows()):
        return None
    planned = len(dataset.unmatched_plan)
    used = are_used(pairs.flagged, decided(dataset.folder, planned)[pairs.index])
    wanted = np.zeros(dataset.unmatched_plan.styles, bool)
    wanted[pairs.style[used]] = True
    files = {
        number: path
        for number, path in real_files(dataset).items()
        if number < len(wanted) and wanted[number]
    }
    real = _real_samples(files)
    if real is None:
        return TissueComparison([ELSEWHERE]) if wanted.any() else None
    kept = KeptEmbeddings(dataset.folder, planned, processes)
    usable = used & np.isin(pairs.style, list(files))
    known = usable & kept.known[pairs.index]
    if not known.any():
        return TissueComparison([NOT_EMBEDDED])
    pictures = _picture_samples(kept, pairs, np.flatnonzero(known), real.values.shape[1])
    notes = list(_left_out(used, usable, known))
    sampled = set(np.concatenate([real.styles, pictures.styles]).tolist())
    groups = _StyleGroups(dataset, wanted, sampled)
    part, names = groups.parts()
    tiles, own = (groups.numbers(samples.styles) for samples in (real, pictures))
    whole = compare(real.values, pictures.values, tiles, own)
    if whole is None:
        notes.insert(0, _too_few(real, pictures))
    elif not whole.enough:
        notes.insert(0, _few(whole))
    parts = dict(_parts(real, pictures, names))
    return TissueComparison(notes, whole, part, parts, _points(real, pictures))


def _real_samples(files: dict[int, Path]) -> Samples | None:
    """Read real tiles of all styles, at most ``MOST_READ`` styles and tiles."""
    numbers = _evenly(sorted(files), MOST_READ)
    values: list[Floats] = []
    styles: list[NDArray[np.int32]] = []
    for number in numbers:
        with suppress(PixCellError):  # a damaged file
            tiles = RealTiles.load(files[number]).embeddings
            tiles = tiles[_evenly(range(len(tiles)), max(1, MOST_READ // len(numbers)))]
            if len(tiles) and (not values or tiles.shape[1] == values[0].shape[1]):
                values.append(tiles)
                styles.append(np.full(len(tiles), number, np.int32))
    return Samples(np.concatenate(values), np.concatenate(styles)) if values else None


def _picture_samples(
    kept: KeptEmbeddings, pairs: PairTable, positions: NDArray[np.intp], dimension: int
) -> Samples:
    chosen = np.asarray(_evenly(positions.tolist(), MOST_READ))
    values = kept.read(pairs.index[chosen], dimension)
    same = np.isfinite(values).all(axis=1)  # others were embedded by another model
    return Samples(values[same], pairs.style[chosen][same])


def _left_out(
    used: NDArray[np.bool_], usable: NDArray[np.bool_], known: NDArray[np.bool_]
) -> Iterator[str]:
    if without := int(used.sum() - usable.sum()):
        pictures = counted(without, "picture was", "pictures were")
        yield f"{pictures} left out because the tissue of the style is not known here."
    if missing := int(usable.sum() - known.sum()):
        pictures = counted(missing, "picture is", "pictures are")
        yield f"{pictures} not embedded and left out. Run “dataset resume” to embed them."


def _too_few(real: Samples, pictures: Samples) -> str:
    return (
        f"{counted(len(pictures.values), 'picture')} and {counted(len(real.values), 'real tile')} "
        f"are too few to tell. At least {FEWEST} pictures and {2 * FEWEST} real tiles of the same "
        "slides are needed."
    )


def _few(one: Distribution) -> str:
    return (
        f"Only {one.compared} pictures and {one.compared} real tiles could be compared at a time. "
        f"Below {ENOUGH}, chance moves the figures much: take them as a hint."
    )


class _StyleGroups:
    """The groups of the styles, and the names of those that have samples.

    There may be millions of styles, so only these are kept.
    """

    def __init__(self, dataset: Dataset, wanted: NDArray[np.bool_], sampled: set[int]) -> None:
        codes: dict[str, int] = {}
        self._several = set[str]()  # of the styles of the pictures; two are enough
        self._sampled: dict[int, tuple[str, str, int]] = {}  # name, group and its code
        for row in dataset.style_rows():
            number, group = row["number"], row["group"]
            code = codes.setdefault(group, len(codes))
            if len(self._several) < 2 and number < len(wanted) and wanted[number]:
                self._several.add(group)
            if number in sampled:
                self._sampled[number] = row["name"], group, code

    def parts(self) -> tuple[str, dict[int, str]]:
        """Return what a part is, and the part of each style with samples."""
        known = self._sampled.items()
        if len(self._several) > 1:
            return "slide", {number: group for number, (_, group, _) in known}
        return "style", {number: f"{name} ({number})" for number, (name, _, _) in known}

    def numbers(self, styles: NDArray[np.int32]) -> NDArray[np.intp]:
        """Return the group of each sample as a number; -1 if it is not known."""
        none = "", "", -1
        return np.array([self._sampled.get(style, none)[2] for style in styles.tolist()], np.intp)


def _parts(
    real: Samples, pictures: Samples, names: dict[int, str]
) -> Iterator[tuple[str, Distribution]]:
    """Iterate over the largest parts with enough samples, if there are several."""
    tiles, own = (
        np.array([names.get(number, "") for number in samples.styles.tolist()])
        for samples in (real, pictures)
    )
    sizes = {
        str(name): min(int((tiles == name).sum()) // 2, int((own == name).sum()))
        for name in np.unique(own)
    }
    large = sorted(
        (name for name, size in sizes.items() if size >= FEWEST), key=lambda n: -sizes[n]
    )
    if len(sizes) > 1:
        for name in large[:MOST_PARTS]:
            found = compare(real.values[tiles == name], pictures.values[own == name])
            if found is not None:
                yield name, found


def _points(
    real: Samples, pictures: Samples
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    if len(real.values) < FEWEST or not len(pictures.values):
        return None
    mean, axes = principal_axes(real.values, 2)
    shown = (one.values[_evenly(range(len(one.values)), MOST_SHOWN)] for one in (real, pictures))
    first, second = ((values - mean) @ axes.T for values in shown)
    return first, second


def _evenly(items: Any, most: int) -> list[Any]:
    """Return up to ``most`` of the items of a sequence, evenly spread."""
    if len(items) <= most:
        return list(items)
    return [items[at] for at in np.linspace(0, len(items) - 1, most).round().astype(int).tolist()]


# -- words ---------------------------------------------------------------------------------


def figures(one: Distribution) -> Figures:
    """Return the figures of a comparison, each with a sentence about its meaning."""
    measured, floor = one.measured, one.floor
    share = {name: f"{100 * getattr(measured, name):.0f} %" for name in SHARES}
    real = {name: f"{100 * getattr(floor, name):.0f} %" for name in SHARES}
    rows: Figures = [
        ("Fréchet distance", f"{measured.frechet:.3g}", f"{floor.frechet:.3g}", _distance(one))
    ]
    rows += [
        (title, share[name], real[name], meaning.format(share[name]))
        for name, (title, meaning) in SHARES.items()
    ]
    density = "Density", f"{measured.density:.2f}", f"{floor.density:.2f}", _density(one)
    return [*rows[:3], density, *rows[3:]]


SHARES = {
    "precision": (
        "Precision",
        "{} of the pictures lie within the range of the real tiles. The others look like none "
        "of them.",
    ),
    "recall": (
        "Recall",
        "{} of the real tiles lie within the range of the pictures. The others are tissue that "
        "the pictures lack.",
    ),
    "coverage": ("Coverage", "{} of the real tiles have a picture that is close to them."),
}


def _distance(one: Distribution) -> str:
    if not np.isfinite(one.ratio):
        return "The real tiles do not differ from each other, so the distance has no scale."
    return (
        f"The pictures are {one.ratio:.1f} times as far from the real tiles as these are from each "
        "other. 1 is best."
    )


def _density(one: Distribution) -> str:
    measured, floor = one.measured.density, one.floor.density
    if measured < floor * (1 - LIKE):
        return "The pictures lie at the margin of the real tissue more often than real tiles do."
    if measured > floor * (1 + LIKE):
        return "The pictures crowd where real tissue is most typical, and vary less."
    return "The pictures are as typical of the tissue as real tiles are."


def part_rows(parts: dict[str, Distribution]) -> list[tuple[str, ...]]:
    """Return a row of figures for each part."""
    return [
        (
            name,
            f"{one.pictures:,}",
            f"{one.real:,}",
            f"{one.measured.frechet:.3g} ({one.floor.frechet:.3g})",
            *(
                f"{100 * getattr(one.measured, name):.0f} %"
                for name in ("precision", "recall", "coverage")
            ),
            "" if one.enough else "few: a hint",
        )
        for name, one in parts.items()
    ]
