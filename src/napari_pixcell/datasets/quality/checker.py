"""Scores of pairs, and flags for scores beyond their threshold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.faithfulness import Faithfulness, faithfulness
from napari_pixcell.cells.methods import METHODS, LayoutSource
from napari_pixcell.datasets.quality.agreement import agreement
from napari_pixcell.datasets.quality.copies import (
    ComparedPicture,
    Nearest,
    RealTiles,
    free_of_cells,
)
from napari_pixcell.datasets.quality.looks import (
    centre_of,
    colour_distance,
    is_picture,
    look_of,
    reference_picture,
    sharpness_ratio,
    style_cosine,
)
from napari_pixcell.datasets.store.checks import FLAGGED_BY, FLAGS, SCORES, Checks
from napari_pixcell.datasets.store.dataset import DatasetStyle
from napari_pixcell.datasets.store.nuclei import DifferingNuclei
from napari_pixcell.engine.events import Embedding, Event, Failure, SegmentedLayout
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import EmbedRequest, Request, SegmentRequest
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.store import find

# Few or very different real tiles may all be dissimilar; a copy is at least this similar.
LEAST_COPY = 0.75
NOT_EMBEDDED: NDArray[np.float32] = np.zeros((0, 0), np.float32)

Ask = Callable[[Request], list[Event]]
Scores = dict[str, float | None]
Answer = TypeVar("Answer", Embedding, SegmentedLayout)


@dataclass(frozen=True)
class Verdict:
    """Scores and flags of a pair, its nuclei that differ from its mask, and its embedding."""

    scores: Scores  # all of SCORES; None if one does not apply
    flags: tuple[str, ...]  # of FLAGS, in their order
    nuclei: DifferingNuclei | None = None  # None without a mask
    wanted: int = 0  # nuclei in the mask
    embedding: NDArray[np.float32] | None = None  # of its tiles; None if they are not embedded


@dataclass(frozen=True, eq=False)
class MeasuredImage:
    """What networks found in an image.

    Parameters
    ----------
    embedding : array, float32, (tokens, dimension), optional
        None if it is no picture; without tokens if the encoder is not installed.
    nuclei : array, int32, (height, width), optional
        None if it has no mask, or if nuclei are segmented by the built-in method.
    """

    embedding: NDArray[np.float32] | None
    nuclei: NDArray[np.int32] | None = None


# An image, its mask if it has one, and what networks found in it.
MaskedImage = tuple[NDArray[Any], NDArray[Any] | None, MeasuredImage]


class Checker:
    """Checks the pairs of a dataset.

    Parameters
    ----------
    checks : Checks
        Thresholds, and the segmenter.
    family : Family
        Its encoder embeds the images.
    mpp : float
        Pixel size of the images in µm.
    ask : callable
        Runs a request and returns its events.
    real : RealTiles, optional
        Real tissue that no image may copy.

    Attributes
    ----------
    most_copy_pixels : float or None
        Correlation beyond which an image is a copy: that of similar real tiles, at least
        ``LEAST_COPY`` and at most the threshold of the checks.
    embeds : bool
        False if the encoder is not installed, so that images are compared neither with their style
        nor with real tissue.
    segmenter : LayoutSource or None
        Method that segmented the images, with the hash of its weights; None before the first.
    """

    def __init__(
        self, checks: Checks, family: Family, mpp: float, ask: Ask, real: RealTiles | None = None
    ) -> None:
        self.checks, self.family, self.mpp = checks, family, mpp
        self.real = real if real is not None and len(real) else None
        self.most_copy_pixels = _copy_limit(checks.most_copy_pixels, self.real)
        self.segmenter: LayoutSource | None = None
        self._shared: NDArray[np.float64] | None = None  # direction of the embeddings of all tissue
        self._ask = ask

    @cached_property
    def embeds(self) -> bool:
        """Whether images are embedded."""
        part = self.family.part("encoder")
        return part is None or find(part) is not None

    def check(
        self, image: NDArray[Any], labels: NDArray[Any] | None, style: DatasetStyle
    ) -> Verdict:
        """Score and flag a pair: :meth:`measure` and :meth:`judge` of one image."""
        (measured,) = self.measure([image], [labels is not None])
        return self.judge(image, labels, style, measured)

    def measure(
        self, images: Sequence[NDArray[Any]], masked: Sequence[bool]
    ) -> list[MeasuredImage]:
        """Run the networks that judge images; their tiles are embedded together.

        Parameters
        ----------
        images : sequence of array, uint8, (height, width, 3)
            Nothing is measured in arrays of another type or shape.
        masked : sequence of bool
            Whether each has a mask, so that its nuclei are segmented.

        Raises
        ------
        PixCellError
            If the images cannot be embedded or segmented, so that they cannot be judged.
        """
        own = self._embedded(images)
        if self.embeds and self._shared is None and any(values is not None for values in own):
            picture = PackedArray.pack(reference_picture(self.family))
            request = EmbedRequest(self.family.name, picture)
            self._shared = centre_of(self._answer(request, Embedding).values)
        network = self.checks.segmenter.method != METHODS[0]
        found = [
            self._segmented(image) if network and with_mask and values is not None else None
            for image, with_mask, values in zip(images, masked, own, strict=True)
        ]
        return [MeasuredImage(*both) for both in zip(own, found, strict=True)]

    def judge(
        self,
        image: NDArray[Any],
        labels: NDArray[Any] | None,
        style: DatasetStyle,
        measured: MeasuredImage,
        nearest: Nearest | None = None,
    ) -> Verdict:
        """Score and flag a pair. It needs no engine, so that it may run in another thread.

        Parameters
        ----------
        image : array, uint8, (height, width, 3)
            Arrays of another type or shape are flagged as failed.
        labels : array of integers, (height, width), optional
            Its mask.
        style : Style
            The requested style, with the look of its tissue if it is known.
        measured : MeasuredImage
            Of this image.
        nearest : Nearest, optional
            Its similarity to real tissue, if :meth:`nearest` has found it already.

        Raises
        ------
        PixCellError
            If the image cannot be compared with its style or with real tissue.
        """
        scores: Scores = dict.fromkeys(SCORES)
        own = measured.embedding
        if own is None:
            return Verdict(scores, ("failed",))
        look = look_of(image)
        scores |= {name: look[name] for name in ("contrast", "saturated")}
        scores["colour"] = colour_distance(look, style.look)
        scores["sharpness"] = sharpness_ratio(look, style.look)
        nuclei, wanted = None, 0
        if labels is not None:
            found = measured.nuclei
            if found is None:
                found = self._outlined(image)
            faith = faithfulness(labels, found, self.mpp)
            agrees = agreement(labels, found)
            scores |= (asdict(agrees) if agrees is not None else {}) | _shares(faith)
            nuclei, wanted = DifferingNuclei.of(faith, found), faith.wanted
        scores |= self._style_scores(own, style) if own.size else {}
        if nearest is None:
            (nearest,) = self.nearest([(image, labels, measured)])
        if nearest is not None:
            scores |= {"copy_style": nearest.style, "copy_pixels": nearest.pixels}
        return Verdict(scores, self._flags(scores), nuclei, wanted, own if own.size else None)

    def nearest(self, pairs: Sequence[MaskedImage]) -> list[Nearest | None]:
        """Compare images with real tissue, which is read once for all of them.

        Returns
        -------
        list of Nearest or None
            None without real tissue, and for what is no picture.

        Raises
        ------
        PixCellError
            If another model embedded the real tissue.
        """
        real = self.real if self.embeds else None
        compared = [
            ComparedPicture(self._whole_tiles(image), measured.embedding, self._free(labels))
            for image, labels, measured in pairs
            if measured.embedding is not None and real is not None
        ]
        found = iter(real.nearest_each(compared) if real is not None and compared else [])
        return [next(found, None) if one.embedding is not None else None for *_, one in pairs]

    def _free(self, labels: NDArray[Any] | None) -> NDArray[np.bool_] | None:
        return None if labels is None else free_of_cells(self._whole_tiles(labels), self.mpp)

    def embed(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed the whole tiles of an image: float32, (tokens, dimension).

        Raises
        ------
        PixCellError
            If the image cannot be embedded.
        """
        packed = PackedArray.pack(self._whole_tiles(image))
        return self._answer(EmbedRequest(self.family.name, packed), Embedding).values

    def _embedded(self, images: Sequence[NDArray[Any]]) -> list[NDArray[np.float32] | None]:
        """Embed images; None for an array that is no picture."""
        if not self.embeds:
            return [NOT_EMBEDDED if is_picture(image) else None for image in images]
        tile, shown = self.family.tile, [image for image in images if is_picture(image)]
        if len(shown) < 2 or any(image.shape != (tile, tile, 3) for image in shown):
            return [self.embed(image) if is_picture(image) else None for image in images]
        # One below another, they are a region whose tiles are embedded together.
        values = self.embed(np.concatenate(shown))
        each = iter(values.reshape(len(shown), -1, values.shape[-1]))
        return [next(each) if is_picture(image) else None for image in images]

    def _whole_tiles(self, pixels: NDArray[Any]) -> NDArray[Any]:
        side = self.family.tile // self.family.grid
        height, width = (length // side * side for length in pixels.shape[:2])
        return pixels[:height, :width]

    def _segmented(self, image: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Segment nuclei by a network."""
        request = SegmentRequest(PackedArray.pack(image), self.mpp, self.checks.segmenter)
        cells = self._answer(request, SegmentedLayout)
        self.segmenter = cells.source
        return cells.labels

    def _outlined(self, image: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Segment nuclei by the built-in method, which needs no network."""
        from napari_pixcell.cells.segmentation import segment_nuclei  # slow to import

        how = self.checks.segmenter
        self.segmenter = LayoutSource(how.method)
        return segment_nuclei(
            image, self.mpp, how.sensitivity, how.smallest_um2, largest_um2=how.largest_um2
        )

    def _style_scores(self, own: NDArray[np.float32], style: DatasetStyle) -> Scores:
        """Compare an image with its style."""
        if style.embedding is None or self._shared is None:
            return {}
        return {"style": style_cosine(own, style.embedding, self._shared)}

    def _flags(self, scores: Scores) -> tuple[str, ...]:
        """Return the flags of scores beyond their thresholds."""
        checks = replace(self.checks, most_copy_pixels=self.most_copy_pixels)
        flagged = set()
        for score, flag in FLAGGED_BY.items():
            limit, value = checks.limit(score), scores[score]
            if limit is not None and value is not None and limit.beyond(np.asarray(value)):
                flagged.add(flag)
        return tuple(flag for flag in FLAGS if flag in flagged)

    def _answer(self, request: Request, kind: type[Answer]) -> Answer:
        """Run a request, and return its event of a type."""
        events = self._ask(request)
        for event in events:
            if isinstance(event, kind):
                return event
        failure = next((event for event in events if isinstance(event, Failure)), None)
        raise PixCellError(
            failure.message if failure else "A check of a pair gave no result. Resume the dataset."
        )


def _shares(faith: Faithfulness) -> Scores:
    """Return the shares of placed, partial, missing and extra nuclei, of those in the mask."""
    wanted = faith.wanted
    found = {"placed": faith.placed, "partial": faith.partial, "missing": faith.missing}
    shares: Scores = {name: len(one) / wanted if wanted else None for name, one in found.items()}
    return shares | {"extra": len(faith.extra) / max(wanted, 1)}


def _copy_limit(most: float | None, real: RealTiles | None) -> float | None:
    """Return the correlation of the closest real tiles, if it separates tissue from copies."""
    closest = real.closest() if real is not None else None
    if most is None or closest is None:
        return most
    return min(most, max(LEAST_COPY, closest.pixels))
