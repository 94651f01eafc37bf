"""What the values of an image of cells mean: labels, a mask, classes, or none of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.errors import PixCellError

AT_ONCE = 4_000_000  # px
WINDOW = 1024  # px; side of the part of a large image that is judged
MOST_CLASSES = 32
COUNTED = 1 << 20  # values below this are counted, others sorted
SCATTERED, SCATTERED_BY = 1.5, 3  # parts per value, and more parts than values, of no labels
PICTURE_PARTS = 4  # parts per value of a photograph
SIZABLE = 4  # a part counts if it has 1/4 of the area of its value's largest
LEAST_AREA = 9.0  # px of a cell on average, by which colours that are labels differ from tissue
BETWEEN = 0.5  # most pixels between black and white, relative to white ones, in a blurred mask

Labels = NDArray[np.int32]


class Meaning(NamedTuple):
    """Labels with their class names, and how they were derived if that is not obvious."""

    labels: Labels
    classes: dict[int, str]
    note: str = ""  # as in the report: “12 …”


def meaning_of(
    name: str, values: NDArray[Any], *, blurred: bool, split_mpp: float | None
) -> Meaning:
    """Return the cells of an image.

    Two values are a mask, whose connected parts are cells. A few values with many parts each are
    classes. Other values are labels.

    Parameters
    ----------
    name : str
        File name, for errors.
    values : array of integers >= 0, (height, width)
    blurred : bool
        Whether it comes from a lossy format, so that values near black and white are those.
    split_mpp : float or None
        Pixel size in µm at which touching cells are split; None does not split.

    Raises
    ------
    PixCellError
        If it is a photograph.
    """
    found = distinct(values)
    if len(found) < 2:
        return Meaning(as_int32(values), {})
    if len(found) == 2:
        ground = _commonest(values)
        if found[0] == 0 and not (ground and _is_frame(values == ground)):
            ground = 0
        note = "" if ground == 0 else f"on the most common value, {ground}, as background"
        return Meaning(_parts(values != ground, split_mpp), {}, note)
    if not _are_scattered(_window(values)):
        return Meaning(as_int32(values), {})
    top = int(found[-1])
    if _is_blurred_mask(values, top):
        return Meaning(_parts(values > top // 2, split_mpp), {}, "in a mask with blurred edges")
    if len(found) <= MOST_CLASSES and not blurred:
        return _of_classes(values, found, split_mpp)
    if blurred or _parts_per_value(_window(values)) > PICTURE_PARTS:
        raise PixCellError(
            f"{name} is a photograph or was saved with loss, not a label image. Export the mask as "
            "PNG or TIFF, with one number for each cell."
        )
    return Meaning(as_int32(values), {})


def distinct(values: NDArray[Any]) -> NDArray[Any]:
    """Return the distinct values of an image, ascending."""
    if values.dtype == bool:
        values = values.view(np.uint8)
    if not values.size:
        return np.empty(0, np.int64)
    rows = max(1, AT_ONCE // max(1, values.shape[1]))
    bands = [values[start : start + rows] for start in range(0, len(values), rows)]
    top = int(values.max())
    if top < COUNTED:
        counts = np.zeros(top + 1, np.int64)
        for band in bands:
            counts += np.bincount(band.ravel(), minlength=top + 1)
        return np.flatnonzero(counts)
    return np.unique(np.concatenate([np.unique(band) for band in bands]))


def as_int32(values: NDArray[Any]) -> Labels:
    """Return labels as int32, renumbered if they are larger."""
    if values.dtype == bool or int(values.max(initial=0)) <= np.iinfo(np.int32).max:
        return values.astype(np.int32, copy=False)
    numbers, labels = np.unique(values, return_inverse=True)
    return (labels.reshape(values.shape) + int(numbers[0] != 0)).astype(np.int32)


def labels_in_colour(colours: NDArray[Any]) -> Labels | None:
    """Return the labels that QuPath packs into red, green and blue, or None for a picture.

    Parameters
    ----------
    colours : array, uint8, (height, width, 3)
        Black is the background. Each other colour is one patch if the image holds labels.
    """
    if colours.dtype != np.uint8:
        return None
    packed = np.zeros(colours.shape[:2], np.int32)
    for channel in range(3):
        packed <<= 8
        packed |= colours[..., channel]
    window = _window(packed)
    found = distinct(window)
    if len(found) < 2 or found[0] != 0:
        return None
    cells = int(np.count_nonzero(window))
    if cells < LEAST_AREA * (len(found) - 1):
        return None
    return None if len(found) > 2 and _are_scattered(window) else packed


def labels_and_classes(values: NDArray[Any]) -> tuple[NDArray[Any], dict[int, str]] | None:
    """Return the labels and class names of an image of two channels, or None if it has none.

    Tools order the channels either way. That of the classes has fewer values, and one for each
    cell.

    Parameters
    ----------
    values : array of integers, (height, width, 2)
    """
    channels = sorted((values[..., n] for n in (0, 1)), key=lambda one: -len(distinct(one)))
    labels, kinds = (channel.ravel() for channel in channels)
    numbers, where = np.unique(labels, return_inverse=True)
    kind_numbers, kind = np.unique(kinds, return_inverse=True)
    pairs, counts = np.unique(where * len(kind_numbers) + kind, return_counts=True)
    most = np.zeros(len(numbers), np.int64)
    np.maximum.at(most, pairs // len(kind_numbers), counts)
    if most.sum() < 0.9 * labels.size or kind_numbers[0] != 0:
        return None
    best = pairs[counts == most[pairs // len(kind_numbers)]]
    label, own = np.divmod(best, len(kind_numbers))
    pairs_of = zip(numbers[label].tolist(), kind_numbers[own].tolist(), strict=True)
    return channels[0], {n: f"type {k}" for n, k in pairs_of if n and k}


def _commonest(values: NDArray[Any]) -> int:
    low, high = int(values.min()), int(values.max())
    return low if np.count_nonzero(values == low) * 2 >= values.size else high


def _is_frame(mask: NDArray[np.bool_]) -> bool:
    """Whether a mask is one part along all of the edge, with several holes: an inverted mask."""
    from scipy import ndimage

    edge = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    if np.count_nonzero(edge) < 0.75 * edge.size:
        return False
    return bool(ndimage.label(mask)[1] == 1 and ndimage.label(~mask)[1] > 1)


def _parts(mask: NDArray[np.bool_], split_mpp: float | None) -> Labels:
    if split_mpp is not None:
        from napari_pixcell.cells.segmentation import split

        return split(mask, split_mpp)
    from scipy import ndimage

    return np.asarray(ndimage.label(mask)[0], np.int32)


def _of_classes(values: NDArray[Any], found: NDArray[Any], split_mpp: float | None) -> Meaning:
    ground = 0 if found[0] == 0 else _commonest_of(values, found)
    labels, names, count = np.zeros(values.shape, np.int32), dict[int, str](), 0
    for kind in found[found != ground].tolist():
        parts = _parts(values == kind, split_mpp)
        here = int(parts.max(initial=0))
        np.add(parts, count, out=labels, where=parts > 0)
        names |= dict.fromkeys(range(count + 1, count + here + 1), f"class {kind}")
        count += here
    return Meaning(labels, names, "as the connected parts of each class")


def _commonest_of(values: NDArray[Any], found: NDArray[Any]) -> int:
    counts = [np.count_nonzero(values == one) for one in found.tolist()]
    return int(found[int(np.argmax(counts))])


def _window(values: NDArray[Any]) -> NDArray[Any]:
    """Return the part of a large image with most cells."""
    height, width = values.shape
    corners = [
        (top, left)
        for top in range(0, max(1, height - WINDOW // 2), WINDOW)
        for left in range(0, max(1, width - WINDOW // 2), WINDOW)
    ]
    parts = [values[top : top + WINDOW, left : left + WINDOW] for top, left in corners]
    return max(parts, key=lambda part: int(np.count_nonzero(part[::8, ::8])))


def _parts_per_value(values: NDArray[Any]) -> float:
    parts, numbers = _sizable_parts(values)
    return parts / max(1, numbers)


def _are_scattered(values: NDArray[Any]) -> bool:
    """Whether values have several parts each, unlike labels."""
    parts, numbers = _sizable_parts(values)
    return parts >= SCATTERED * numbers and parts - numbers >= SCATTERED_BY


def _sizable_parts(values: NDArray[Any]) -> tuple[int, int]:
    """Return how many sizable connected parts there are, and how many values."""
    from skimage.measure import label

    numbers = distinct(values)
    ranks = np.searchsorted(numbers, values).astype(np.int32)
    parts = np.asarray(label(ranks + 1 if numbers[0] else ranks, connectivity=2, background=0))
    area = np.bincount(parts.ravel())
    of_part = np.zeros(len(area), np.int64)
    of_part[parts.ravel()] = ranks.ravel()
    largest = np.zeros(len(numbers), np.int64)
    np.maximum.at(largest, of_part[1:], area[1:])
    sizable = area[1:] * SIZABLE >= largest[of_part[1:]]
    return int(np.count_nonzero(sizable)), len(numbers) - int(numbers[0] == 0)


def _is_blurred_mask(values: NDArray[Any], top: int) -> bool:
    """Whether nearly all values lie near 0 or near the highest one."""
    white = np.count_nonzero(values > top - top // 4)
    black = np.count_nonzero(values < top // 4)
    return bool(top >= 128 and values.size - white - black <= BETWEEN * white)
