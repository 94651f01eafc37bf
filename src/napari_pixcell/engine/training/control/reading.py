"""The pairs of a training, read one by one; images without masks are segmented, once for all."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_pixcell.cells import segment_nuclei
from napari_pixcell.cells.class_map import Palette
from napari_pixcell.cells.methods import METHODS
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import SegmentRequest
from napari_pixcell.engine.segmenting import run_cellpose
from napari_pixcell.engine.training.context import TrainingContext
from napari_pixcell.engine.training.control.pairs import (
    ControlPair,
    Place,
    class_counts,
    control_files,
    palette_of,
    places,
    read_control_pair,
    tile_grid,
)
from napari_pixcell.engine.training.control.request import TrainControlRequest
from napari_pixcell.engine.training.folder import TrainingFolder
from napari_pixcell.engine.training.identity import signature_of
from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.families import segmenter_file, segmenter_licence
from napari_pixcell.models.weights import cached_sha256
from napari_pixcell.words import counted

CELLS_FORMAT = 1  # increase it when the same images and settings yield other cells


@dataclass(frozen=True)
class PairSurvey:
    """What all pairs hold: the classes of their cells, and their tiles."""

    palette: Palette
    places: list[Place]


class PairReader:
    """Reads the pairs of a training at the pixel size of its base.

    Parameters
    ----------
    folder : TrainingFolder
        Keeps the cells of images without masks.

    Raises
    ------
    PixCellError
        If the folder of the pairs holds none, or masks only for some images.
    """

    def __init__(
        self,
        request: TrainControlRequest,
        base: Family,
        folder: TrainingFolder,
        context: TrainingContext,
    ) -> None:
        self.request, self.base = request, base
        self._folder, self._context = folder, context
        self.files = control_files(Path(request.pairs).expanduser())

    @property
    def segmented(self) -> bool:
        """Whether the pairs are images alone."""
        return all(one.cells is None for one in self.files)

    @property
    def segmenter_hash(self) -> str | None:
        """Hash of the Cellpose model that segments them, if one does."""
        how = self.request.segment
        if not self.segmented or how.method == METHODS[0]:
            return None
        return cached_sha256(segmenter_file(how.model))

    @property
    def terms(self) -> str:
        """Terms of the segmentation, which extend to what is trained on it."""
        if self.segmenter_hash is None:
            return ""
        return f"; masks: {segmenter_licence(self.request.segment.model)}"

    def survey(self) -> PairSurvey:
        """Read all pairs, and return their classes and tiles.

        Raises
        ------
        PixCellError
            If one cannot be read, files differ in their classes, or there are too few tiles.
        """
        counts, shapes, tissue, total = [], [], [], len(self.files)
        for number in range(total):
            words = f"Reading pair {number + 1} of {total}"
            self._context.progress(number, total, words)
            pair = self.read(number)
            counts.append((pair.name, class_counts(pair)))
            shapes.append(pair.image.shape)
            tissue.append(tile_grid(pair.image, self.base))
        palette = palette_of(self.request, counts)
        without = sum(count[""] for _, count in counts)
        if palette and without:
            self._context.notice(f"{counted(without, 'cell')} without a class are drawn white.")
        return PairSurvey(palette, places(shapes, tissue, self.base, self.request.seed))

    def read(self, number: int) -> ControlPair:
        """Return a pair with its cells."""
        pair = read_control_pair(self.files[number], self.base, self.request.mpp)
        return pair if pair.labels is not None else replace(pair, labels=self._cells(pair.image))

    def _cells(self, image: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Return the cells of an image, segmented unless they are kept from an earlier run."""
        model = [self.segmenter_hash] if self.segmenter_hash is not None else []
        how = self.request.segment.to_dict()
        content = hashlib.sha256(image.tobytes()).hexdigest()
        key = signature_of(CELLS_FORMAT, self.base.mpp, how, content, *model)[:32]
        name = f"cells-{key}.npy"
        if (self._folder.work / name).is_file():
            kept: NDArray[np.int32] = np.load(self._folder.work / name, allow_pickle=False)
            return kept
        found = self._segment(image).astype(np.int32)
        self._folder.save(name, lambda file: np.save(file, found))
        return found

    def _segment(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        how, mpp, loaded = self.request.segment, self.base.mpp, self._context.loaded
        if how.method == METHODS[0]:
            smallest, largest = how.smallest_um2, how.largest_um2
            return segment_nuclei(image, mpp, how.sensitivity, smallest, largest_um2=largest)
        request = SegmentRequest(PackedArray.pack(image), mpp, how)

        def work() -> NDArray[np.int32]:
            segmenter = loaded.load_segmenter(how.model)
            outputs = run_cellpose(segmenter, request, lambda *_: self._context.check())
            return outputs.outline(how, mpp, loaded.segmenter_device)

        with torch.inference_mode():
            return self._context.fit(work, loaded.step_segmenter_down)


def cut(pair: ControlPair, place: Place, side: int) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Return the image and the cells of a tile."""
    window = slice(place.y, place.y + side), slice(place.x, place.x + side)
    assert pair.labels is not None
    return np.ascontiguousarray(pair.image[window]), np.ascontiguousarray(pair.labels[window])
