"""Files of features in HDF5: TRIDENT's, CLAM's and the published cohorts of UNI2-h.

``features`` are (rows, dimension) and ``coords`` (rows, 2): x and y of the top left corner of each
patch, in level-0 pixels. Published cohorts have a leading axis of one. TRIDENT states patch size
and magnification as attributes of ``coords``; CLAM's files of features state nothing.

A slide may have 200,000 patches, 1.2 GB. Nothing but the head is read on opening, and never more
than a block of rows at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.styles.features.encoders import FeatureOrigin
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides.content import content_key
from napari_pixcell.slides.region import Region
from napari_pixcell.untrusted import LONGEST_NAME, check_regular, reading

SUFFIXES = (".h5", ".hdf5")
FEATURES, COORDS = "features", "coords"
KIND = "napari_pixcell_encoder"  # attribute of files that napari-pixcell wrote
BLOCK = 4096  # rows read at once
MOST_ROWS, LARGEST_SIZE = 5_000_000, 16_384
LARGEST_SLIDE = 2.0**31  # px along a side
LARGEST_PACKED = 256 * 2**20  # bytes of a compressed chunk, which is decompressed as a whole
FOLDER = "features_"  # TRIDENT's folder of an encoder's features begins with it
CHOOSE = "Choose a file of patch features that TRIDENT or CLAM wrote."


def open_hdf5(path: Path) -> Any:
    """Open an HDF5 file for reading."""
    import h5py

    try:
        return h5py.File(path, "r")
    except OSError as error:
        if "lock" not in str(error):
            raise
        return h5py.File(path, "r", locking=False)  # some network drives have no locks


class FeatureFile:
    """A file of features, one row for each patch of a slide. Rows are read when they are needed.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    origin : FeatureOrigin
        Encoder and size of the patches.
    shape : (height, width), optional
        Of the slide at level 0, if the file states it.

    Raises
    ------
    PixCellError
        If it is cut, damaged, or does not hold features of patches.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        check_regular(path)
        self._file = _opened(path)
        try:
            with self._reading():
                self._features = self._dataset(FEATURES)
                self._coords = self._dataset(COORDS)
                self._check()
                self._read_attributes()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self._features.shape[-2])

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @cached_property
    def key(self) -> str:
        """A fingerprint of the file that contains no name: 32 hexadecimal digits."""
        with reading(self.path.name):
            return content_key(self.path)

    @cached_property
    def coords(self) -> NDArray[np.float64]:
        """The top left corners of the patches, x and y in level-0 pixels: (rows, 2)."""
        with self._reading():
            found = _all_of(self._coords, self._file, self.path)
            coords: NDArray[np.float64] = found.reshape(-1, 2).astype(np.float64)
        if not (np.abs(coords) <= LARGEST_SLIDE).all():  # NaN is not, either
            raise PixCellError(
                f"“{self.path.name}” holds coordinates that lie on no slide. {CHOOSE}"
            )
        return coords

    @cached_property
    def side(self) -> float:
        """Side of a patch in level-0 pixels.

        Raises
        ------
        PixCellError
            If neither the file states it nor neighbouring patches show it.
        """
        side = self._stated or _step(self.coords)
        if side is None:
            raise PixCellError(
                f"“{self.path.name}” does not state the size of its patches, and none of them are "
                "neighbours. Choose a file with more patches."
            )
        return side

    def region(self, row: int) -> Region:
        """Return the area of a patch, in level-0 pixels."""
        x, y = self.coords[self.checked(row)]
        return Region(float(x), float(y), self.side, self.side)

    def rows(self, numbers: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float32]:
        """Read some rows: float32, (rows, dimension), NaN included.

        Raises
        ------
        PixCellError
            If there is no such row, or it cannot be read.
        """
        found = [self._read(self.checked(int(n)), int(n) + 1)[0] for n in numbers]
        return np.array(found, np.float32).reshape(-1, self.origin.dimension)

    def blocks(self, size: int = BLOCK) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Iterate over all rows: the number of the first, and float32 (rows, dimension)."""
        for first in range(0, len(self), size):
            yield first, self._read(first, min(first + size, len(self)))

    def walk(self) -> None:
        """Follow the index of all rows once, without reading them."""
        with self._reading():
            if self._features.chunks is not None:
                self._features.id.chunk_iter(lambda _: None)
            self.rows([0, len(self) - 1])

    def checked(self, row: int) -> int:
        """Return the number of a row, or raise PixCellError if there is none."""
        if not 0 <= row < len(self):
            raise PixCellError(
                f"“{self.path.name}” has no row {row:,}. Choose one from 0 to {len(self) - 1:,}."
            )
        return row

    def check_family(self, family: Family) -> None:
        """Raise PixCellError if a family cannot use these embeddings."""
        if problem := self.origin.why_not(self.path.name, family):
            raise PixCellError(problem)

    # -- what the file holds -----------------------------------------------------------------

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with reading(self.path.name, "Download or copy it again."):
            yield

    def _read(self, first: int, stop: int) -> NDArray[np.float32]:
        with self._reading():
            rows = self._features[..., first:stop, :]
        return np.asarray(rows.reshape(stop - first, -1), np.float32)

    def _dataset(self, name: str) -> Any:
        """Return a dataset of the file itself: links and virtual data lead to other files."""
        import h5py

        file = self.path.name
        if name not in self._file:
            if name == FEATURES and COORDS in self._file:
                raise PixCellError(
                    f"“{file}” holds the coordinates of patches, but no features. Choose the file "
                    f"in a folder such as “{FOLDER}uni_v2”."
                )
            raise PixCellError(f"“{file}” holds no {name}. {CHOOSE}")
        hard = isinstance(self._file.get(name, getlink=True), h5py.HardLink)
        found = self._file[name] if hard else None
        if hard and not isinstance(found, h5py.Dataset):
            raise PixCellError(f"“{file}” holds no {name}. {CHOOSE}")
        if found is None or found.is_virtual or found.external:
            raise PixCellError(
                f"“{file}” refers to {name} in another file. Copy them into one file, for example "
                "with h5repack."
            )
        return found

    def _check(self) -> None:
        file, features, coords = self.path.name, self._features, self._coords
        if features.ndim == 1:
            raise PixCellError(
                f"“{file}” holds one embedding for the whole slide, and a style needs those of "
                f"patches. {CHOOSE}"
            )
        leading = features.ndim == 3 and features.shape[0] == 1
        if features.dtype.kind != "f" or not (features.ndim == 2 or leading):
            raise PixCellError(
                f"“{file}” holds features of the shape {features.shape} and the type "
                f"{features.dtype}, which are not one embedding a patch. {CHOOSE}"
            )
        rows, size = features.shape[-2:]
        if not rows or not size:
            raise PixCellError(f"“{file}” holds no patches. Choose the file of another slide.")
        if rows > MOST_ROWS or size > LARGEST_SIZE:
            raise PixCellError(
                f"“{file}” claims {rows:,} embeddings of {size:,} numbers, too many for one slide. "
                f"{CHOOSE}"
            )
        if coords.shape not in ((rows, 2), (1, rows, 2)) or coords.dtype.kind not in "iuf":
            raise PixCellError(
                f"“{file}” holds {rows:,} embeddings, but coordinates of the shape "
                f"{coords.shape}. Write it again with the tool that made it."
            )
        packed = features.id.get_create_plist().get_nfilters() > 0
        if packed and math.prod(features.chunks) * features.dtype.itemsize > LARGEST_PACKED:
            raise PixCellError(
                f"“{file}” is compressed in blocks that are too large to read single patches. "
                f"Repack it: h5repack -l features:CHUNK={'1x' * (features.ndim - 2)}64x{size}."
            )

    def _read_attributes(self) -> None:
        stated, own = self._coords.attrs, self._features.attrs
        patch, levels = _number(stated.get("patch_size")), _number(stated.get("patch_level"))
        self._stated = _number(stated.get("patch_size_level0"))
        if self._stated is None and patch is not None and levels == 0:  # CLAM's
            self._stated = patch * (_number(stated.get("custom_downsample")) or 1)
        width, height = (_number(stated.get(f"level0_{n}")) for n in ("width", "height"))
        self.shape = (int(height), int(width)) if height and width else None
        folder = self.path.absolute().parent.name
        named = folder.removeprefix(FOLDER) if folder.startswith(FOLDER) else ""
        self.origin = FeatureOrigin(
            _text(own.get("encoder")) or named,
            _text(own.get(KIND)),
            int(self._features.shape[-1]),
            patch,
            _number(stated.get("target_magnification")),
        )


def open_features(path: Path, family: Family) -> FeatureFile:
    """Open a file of features for a family.

    Raises
    ------
    PixCellError
        If it cannot be read, or its embeddings are another encoder's or of other patches.
    """
    features = FeatureFile(path)
    try:
        features.check_family(family)
    except PixCellError:
        features.close()
        raise
    return features


def holds_features(path: Path) -> bool:
    """Whether a file is of HDF5 and holds features of patches; damaged ones do not."""
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return False
    try:
        with open_hdf5(path) as file:
            return FEATURES in file and COORDS in file
    except OSError:
        return False


def _opened(path: Path) -> Any:
    with reading(path.name, "Download or copy it again."):
        try:
            return open_hdf5(path)
        except OSError as error:
            if "truncated" in str(error):
                raise PixCellError(
                    f"“{path.name}” is cut: it ends too early. Download or copy it again."
                ) from error
            if "signature not found" in str(error):
                raise PixCellError(f"“{path.name}” is not an HDF5 file. {CHOOSE}") from error
            raise


def _all_of(dataset: Any, file: Any, path: Path) -> NDArray[Any]:
    """Read a whole dataset.

    TRIDENT stores each row in a chunk of its own. HDF5 takes seconds for 200,000 of them, so they
    are gathered from the mapped file.
    """
    shape, chunks, id_ = dataset.shape, dataset.chunks, dataset.id
    single = chunks is not None and dataset.ndim == 2 and chunks == (1, shape[1])
    if not single or file.userblock_size or id_.get_create_plist().get_nfilters():
        return np.asarray(dataset[()])
    offsets = np.full(shape[0], -1, np.int64)

    def note(chunk: Any) -> None:
        offsets[chunk.chunk_offset[0]] = chunk.byte_offset

    id_.chunk_iter(note)
    width = shape[1] * dataset.dtype.itemsize
    if offsets.min() < 0 or offsets.max() + width > path.stat().st_size:
        return np.asarray(dataset[()])
    mapped = np.memmap(path, np.uint8, "r")
    gathered = mapped[offsets[:, None] + np.arange(width)]
    return np.ascontiguousarray(gathered).view(dataset.dtype)


def _step(coords: NDArray[np.float64]) -> float | None:
    """Return the commonest distance of neighbours in a row or column of patches."""
    found = []
    for across in (0, 1):
        order = np.lexsort((coords[:, across], coords[:, 1 - across]))
        steps = np.diff(coords[order], axis=0)
        found.append(steps[(steps[:, 1 - across] == 0) & (steps[:, across] > 0), across])
    values, counts = np.unique(np.concatenate(found), return_counts=True)
    return float(values[counts.argmax()]) if len(values) else None


def _number(value: Any) -> float | None:
    """Return an attribute that is a number of 0 or more; TRIDENT writes None as text."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if isinstance(value, int | float | np.integer | np.floating):
        number = float(value)
        return number if math.isfinite(number) and number >= 0 else None
    return None


def _text(value: Any) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    if not isinstance(text, str) or text == "None":
        return ""
    return "".join(c for c in text[:LONGEST_NAME] if c.isprintable())
