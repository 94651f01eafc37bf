"""All that a worker can be asked for."""

from __future__ import annotations

from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.engine.request_values import Request
from napari_pixcell.evaluation.request import EvaluateRequest

AnyRequest = Request | DatasetRequest | EvaluateRequest
