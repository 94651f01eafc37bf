"""Runs a request of any kind on an engine: in the worker, and in a process that has its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from napari_pixcell.datasets.recipe.making import make_dataset
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.engine.events import Emit
from napari_pixcell.engine.reproducing import ReproduceRequest, run_reproduction
from napari_pixcell.evaluation.request import EvaluateRequest
from napari_pixcell.verification.request import VerifyRequest
from napari_pixcell.worker.requests import AnyRequest

if TYPE_CHECKING:
    from napari_pixcell.engine.engine import Engine


def run_request(
    engine: Engine,
    request: AnyRequest,
    emit: Emit,
    cancelled: Callable[[], bool] = lambda: False,
    previews: bool = True,
) -> None:
    """Run a request. Parameters and errors: :meth:`napari_pixcell.engine.engine.Engine.run`."""
    if isinstance(request, DatasetRequest):
        make_dataset(request, engine.run, emit, cancelled, engine.at_once)
    elif isinstance(request, EvaluateRequest):
        from napari_pixcell.evaluation.job import evaluate

        evaluate(request, emit, cancelled)
    elif isinstance(request, VerifyRequest):
        from napari_pixcell.verification.job import verify

        verify(request, engine, emit, cancelled)
    elif isinstance(request, ReproduceRequest):
        run_reproduction(request, engine, emit)
    else:
        engine.run(request, emit, cancelled, previews=previews)
