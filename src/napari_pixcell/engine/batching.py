"""Tiles of different requests in one pass of the networks."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import torch
from numpy.typing import NDArray

from napari_pixcell.engine.conditions import PreparedRequest, canvas_of, prepare
from napari_pixcell.engine.denoiser import Denoiser
from napari_pixcell.engine.latents import OVERFLOWED, Overflow
from napari_pixcell.engine.pipeline import make_together
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.engine.sampler import OnStep
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.loading import LoadedFamily
from napari_pixcell.models.memory import Setting


def shared_settings(request: GenerateRequest, family: Family) -> Hashable | None:
    """Return the settings that must agree in a pass, or None if the image is computed alone.

    A canvas has passes of its own windows. An image that starts from another one is alone, too.

    Raises
    ------
    PixCellError
        If the image is smaller than a tile.
    """
    if request.start is not None or not canvas_of(request, family).single:
        return None
    layout = None
    if request.layout is not None:
        layout = request.layout_strength, request.layout_until, request.control_both
    # The published solver of a stain depends on whether a size is given, see conditions.py.
    sized = request.published and request.size is not None
    return request.steps, request.guidance, request.preset, layout, sized


class TilePasses:
    """Generates tiles of requests with the same settings, on the networks at their device.

    Parameters
    ----------
    models : LoadedFamily
    setting : Setting, optional
        How memory is saved.
    """

    def __init__(self, models: LoadedFamily, setting: Setting | None) -> None:
        self.models = models
        self._two_passes = setting is not None and setting.two_passes
        self._denoiser: Denoiser | None = None

    def make(
        self, requests: list[GenerateRequest], size: int, on_step: OnStep
    ) -> list[NDArray[np.uint8] | PixCellError]:
        """Generate the images of up to ``size`` requests in a pass of exactly ``size``.

        Empty places hold copies. So does that of a request which cannot be read, so that those
        beside it keep their places, and thus their pixels.

        Parameters
        ----------
        requests : list of GenerateRequest
            Each of one variant.
        size : int
            Images in the pass.
        on_step : callable
            See :func:`~.sampler.denoise`.

        Returns
        -------
        list of array, uint8, (tile, tile, 3), or PixCellError
            For each request its image, or why it has none.

        Raises
        ------
        Overflow
            If numbers are not finite in half precision.
        """
        read = [self._prepared(request) for request in requests]
        places = [
            (one, request.seed) if isinstance(one, PreparedRequest) else None
            for one, request in zip(read, requests, strict=True)
        ]
        copied = next((place for place in places if place is not None), None)
        if copied is None:
            return [one for one in read if isinstance(one, PixCellError)]
        places += [None] * (size - len(places))
        made = make_together([place or copied for place in places], on_step)
        images: list[NDArray[np.uint8] | PixCellError] = []
        for one, image in zip(read, made, strict=False):  # the rest are copies
            if isinstance(one, PixCellError):
                images.append(one)
            elif image is not None:
                images.append(image)
            elif self.models.dtype != torch.float32:
                raise Overflow
            else:
                images.append(PixCellError(OVERFLOWED))
        return images

    def _prepared(self, request: GenerateRequest) -> PreparedRequest | PixCellError:
        try:
            found = prepare(
                request, self.models, two_passes=self._two_passes, denoiser=self._denoiser
            )
        except PixCellError as error:
            return error
        self._denoiser = found.denoiser
        return found
