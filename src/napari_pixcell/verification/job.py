"""Verification of a family: samples are found, checks run, and the report is made."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import torch

from napari_pixcell.engine.engine import Cancelled, Engine
from napari_pixcell.engine.events import Emit, Finished, Progress, Verified
from napari_pixcell.engine.record import installed_versions
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.families import get_family
from napari_pixcell.models.hub import DownloadCancelled
from napari_pixcell.models.loading import describe_device
from napari_pixcell.models.store import require
from napari_pixcell.verification.autoencoder import autoencoder_rows
from napari_pixcell.verification.bench import Bench
from napari_pixcell.verification.device import files_row, memory_row, precision_row, time_row
from napari_pixcell.verification.encoder import encoder_rows
from napari_pixcell.verification.figures import read_figures
from napari_pixcell.verification.guidance import guidance_row
from napari_pixcell.verification.pictures import draw, layout_rows, requests_of, style_rows
from napari_pixcell.verification.report import CheckRow, VerificationReport
from napari_pixcell.verification.request import VerifyRequest
from napari_pixcell.verification.samples import BUNDLED, NAME, find_samples
from napari_pixcell.verification.stains import stain_rows

GENERATION = "Generation"


def verify(
    request: VerifyRequest,
    engine: Engine,
    emit: Emit,
    cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """Compare a family on this machine with published figures.

    Parameters
    ----------
    engine : Engine
        Runs the family, as it does everywhere else.
    emit : callable
        Receives progress, then ``Verified``. The last event is ``Finished``.
    cancelled : callable
        Called between steps. Once it returns true, the work ends; files that were downloaded are
        kept.

    Raises
    ------
    PixCellError
        If the family is not installed, or the sample data are missing or damaged.
    """
    try:
        emit(Verified(_verify(request, engine, emit, cancelled).to_dict()))
    except (Cancelled, DownloadCancelled):
        emit(Finished(cancelled=True))
    else:
        emit(Finished())


def _verify(
    request: VerifyRequest, engine: Engine, emit: Emit, cancelled: Callable[[], bool]
) -> VerificationReport:
    def tell(done: int, total: int, words: str) -> None:
        if cancelled():
            raise Cancelled
        emit(Progress(done, total, words))

    family = get_family(request.family)
    for part in family.parts:
        require(family, part)
    folder, patches = find_samples(
        family, request.folder, request.download, request.patches, tell, cancelled
    )
    figures = read_figures(folder)
    bench = Bench(engine, family, patches, figures, request, tell, cancelled)
    rows = [files_row(bench)]
    rows += [*autoencoder_rows(bench), *encoder_rows(bench)]
    # Patches are larger than the tiles that memory is planned for.
    gpu = engine.loaded.device if engine.loaded.device.type == "cuda" else None
    if gpu is not None:
        torch.cuda.reset_peak_memory_stats(gpu)
    try:
        rows += _generated(bench)
    except PixCellError as error:  # what was measured so far helps to find out why
        rows.append(CheckRow("generation", GENERATION, "FAIL", "stopped", "", str(error)))
    peak = torch.cuda.max_memory_allocated(gpu) if gpu is not None else None
    rows += [precision_row(bench), memory_row(bench, peak)]
    device, weights = bench.on_networks(
        lambda models: (describe_device(models.device, models.dtype), models.weights)
    )
    return VerificationReport(
        family=family.name,
        title=family.title,
        device=device,
        versions=installed_versions(),
        weights=weights,
        samples="bundled" if folder == BUNDLED else _source(request, folder),
        patches=len(patches),
        pictures=request.pictures,
        steps=bench.steps,
        seed=request.seed,
        own_figures=figures.own,
        rows=tuple(rows),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _generated(bench: Bench) -> list[CheckRow]:
    """Return the rows of everything that is generated."""
    rows = [guidance_row(bench)]
    stained, drawn = stain_rows(bench)
    free = draw(bench, requests_of(bench)) if drawn is None else None
    steered, with_layout = layout_rows(bench)
    timed = with_layout or free or drawn
    assert timed is not None
    rows += [*style_rows(bench, free), *steered, *stained]
    return [*rows, time_row(bench, timed.seconds, with_layout is not None)]


def _source(request: VerifyRequest, folder: Path) -> str:
    """Return where the patches came from, without a path."""
    return f"{NAME}, {'in a folder' if request.folder else 'downloaded'}"
