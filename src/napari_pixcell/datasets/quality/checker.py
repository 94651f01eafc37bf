"""Scores of pairs, and flags for scores beyond their threshold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.faithfulness import Faithfulness, faithfulness
from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.datasets.quality.agreement import agreement
from napari_pixcell.datasets.quality.copies import RealTiles, free_of_cells
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

# Few or very different real tiles may all be dissimilar; a copy is at least this similar.
LEAST_COPY = 0.75

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
    embedding: NDArray[np.float32] | None = None  # of its tiles; None if it is not a picture


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
        self._ask = ask

    def check(
        self, image: NDArray[Any], labels: NDArray[Any] | None, style: DatasetStyle
    ) -> Verdict:
        """Score and flag a pair.

        Parameters
        ----------
        image : array, uint8, (height, width, 3)
            Arrays of another type or shape are flagged as failed.
        labels : array of integers, (height, width), optional
            Its mask.
        style : Style
            The requested style, with the look of its tissue if it is known.

        Raises
        ------
        PixCellError
            If the image cannot be embedded or segmented, so that the pair cannot be judged.
        """
        scores: Scores = dict.fromkeys(SCORES)
        if not is_picture(image):
            return Verdict(scores, ("failed",))
        look = look_of(image)
        scores |= {name: look[name] for name in ("contrast", "saturated")}
        scores["colour"] = colour_distance(look, style.look)
        scores["sharpness"] = sharpness_ratio(look, style.look)
        nuclei, wanted = None, 0
        if labels is not None:
            found = self._segmented(PackedArray.pack(image))
            faith = faithfulness(labels, found, self.mpp)
            agrees = agreement(labels, found)
            scores |= (asdict(agrees) if agrees is not None else {}) | _shares(faith)
            nuclei, wanted = DifferingNuclei.of(faith, found), faith.wanted
        own = self.embed(image)
        scores |= self._style_scores(image, own, labels, style)
        return Verdict(scores, self._flags(scores), nuclei, wanted, own)

    def embed(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed the whole tiles of an image: float32, (tokens, dimension).

        Raises
        ------
        PixCellError
            If the image cannot be embedded.
        """
        packed = PackedArray.pack(self._whole_tiles(image))
        return self._answer(EmbedRequest(self.family.name, packed), Embedding).values

    def _whole_tiles(self, pixels: NDArray[Any]) -> NDArray[Any]:
        side = self.family.tile // self.family.grid
        height, width = (length // side * side for length in pixels.shape[:2])
        return pixels[:height, :width]

    def _segmented(self, packed: PackedArray) -> NDArray[np.int32]:
        cells = self._answer(
            SegmentRequest(packed, self.mpp, self.checks.segmenter), SegmentedLayout
        )
        self.segmenter = cells.source
        return cells.labels

    def _style_scores(
        self,
        image: NDArray[np.uint8],
        own: NDArray[np.float32],
        labels: NDArray[Any] | None,
        style: DatasetStyle,
    ) -> Scores:
        """Compare an image with its style and with real tissue."""
        scores: Scores = {}
        if style.embedding is not None:
            scores["style"] = style_cosine(own, style.embedding, self._shared)
        if self.real is not None:
            whole = None if labels is None else self._whole_tiles(labels)
            free = None if whole is None else free_of_cells(whole, self.mpp)
            nearest = self.real.nearest(self._whole_tiles(image), own, free)
            scores |= {"copy_style": nearest.style, "copy_pixels": nearest.pixels}
        return scores

    @cached_property
    def _shared(self) -> NDArray[np.float64]:
        """Direction that the embeddings of all tissue share."""
        picture = PackedArray.pack(reference_picture(self.family))
        return centre_of(self._answer(EmbedRequest(self.family.name, picture), Embedding).values)

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
