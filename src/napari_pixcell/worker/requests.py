"""All that a worker can be asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:  # the window imports a request when it makes one
    from napari_pixcell.datasets.recipe.request import DatasetRequest
    from napari_pixcell.engine.reproducing import ReproduceRequest
    from napari_pixcell.engine.request_values import Request
    from napari_pixcell.evaluation.request import EvaluateRequest
    from napari_pixcell.verification.request import VerifyRequest

AnyRequest: TypeAlias = (
    "Request | ReproduceRequest | DatasetRequest | EvaluateRequest | VerifyRequest"
)
