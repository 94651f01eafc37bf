"""Checks of the machine: files, precision, memory and time against the plan."""

from __future__ import annotations

import torch

from napari_pixcell.models.integrity import family_problems, uncompared_files
from napari_pixcell.models.loading import PRECISIONS, LoadedFamily, pick_dtype
from napari_pixcell.models.memory import LADDER, cpu_seconds, needed, working_bytes
from napari_pixcell.verification.bench import Bench
from napari_pixcell.verification.figures import Verdict
from napari_pixcell.verification.report import CheckRow, not_applicable
from napari_pixcell.words import file_size

FILES, PRECISION, MEMORY, TIME = "Files", "Precision", "Peak memory", "Time of a picture"
# Another machine is no mistake, so time never fails.
SLOW = 3.0
NO_PLAN = "No time is planned for a GPU; this picture took {seconds}."


def files_row(bench: Bench) -> CheckRow:
    """Check that the files of the family are complete and unchanged."""
    bench.tell(0, 0, "Checking the files")
    problems = family_problems(bench.family)
    if problems:
        return CheckRow(
            "files",
            FILES,
            "FAIL",
            f"{len(problems)} damaged",
            "complete",
            " ".join(problems),
            "Get the family again with “napari-pixcell models get”.",
        )
    left = uncompared_files(bench.family)
    words = "complete and unchanged" if not left else "complete; some have no known hash"
    return CheckRow("files", FILES, "PASS", words, "complete")


def precision_row(bench: Bench) -> CheckRow:
    """Compare the precision and the memory setting of the networks with the plan."""
    return bench.on_networks(lambda models: _precision(bench, models))


def _precision(bench: Bench, models: LoadedFamily) -> CheckRow:
    setting = bench.engine.loaded.setting or LADDER[0]
    planned = pick_dtype(bench.family, bench.engine.loaded.device)
    full = [(kind, getattr(models, kind)) for kind in PRECISIONS]
    halved = [
        kind
        for kind, network in full
        if network is not None and next(network.parameters()).dtype != torch.float32
    ]
    verdict: Verdict = "PASS"
    if halved:
        verdict = "FAIL"
    elif models.dtype != planned or setting is not LADDER[0]:
        verdict = "WARN"
    encoder = f"encoder {'half' if halved else 'float32'}"
    return CheckRow(
        "precision",
        PRECISION,
        verdict,
        f"{_name(models.dtype)}, {encoder}, {setting.words}",
        f"{_name(planned)}, encoder float32",
        "The networks run in another precision, or with less memory, than planned for this device: "
        "pictures are the same within rounding, but slower. An encoder in half precision makes "
        "other embeddings than published.",
        "Close other programs that use the GPU, and verify again.",
    )


def memory_row(bench: Bench, peak: int | None) -> CheckRow:
    """Compare the peak memory of the GPU with the plan. ``peak`` is in bytes; None on a CPU."""
    if peak is None:
        return not_applicable("memory", MEMORY, "Memory is measured on a CUDA GPU only.")

    def work(models: LoadedFamily) -> CheckRow:
        setting = bench.engine.loaded.setting or LADDER[0]
        size = models.dtype.itemsize
        more = bench.engine.at_once(bench.family.name) - 1  # pictures in a pass
        planned = needed(bench.family, setting, size)
        planned += more * working_bytes(bench.family, 2, size)
        return bench.row(
            "memory",
            MEMORY,
            peak / planned,
            file_size(peak),
            "The family needs more memory than planned, so it may not fit beside other programs.",
            "Report this with the JSON: the plan should be corrected.",
            file_size(planned),
            planned=planned,
        )

    return bench.on_networks(work)


def time_row(bench: Bench, seconds: float, layout: bool) -> CheckRow:
    """Compare the seconds of a picture with the plan."""
    if bench.figures.seconds:
        planned = bench.figures.seconds * bench.steps / bench.family.steps
    elif bench.engine.loaded.device.type == "cpu":
        size = bench.on_networks(lambda models: models.dtype.itemsize)
        planned = cpu_seconds(bench.family, bench.steps, size, layout)
    else:
        return not_applicable("time", TIME, NO_PLAN.format(seconds=_seconds(seconds)))
    return CheckRow(
        "time",
        TIME,
        "PASS" if seconds <= SLOW * planned else "WARN",
        _seconds(seconds),
        f"{_seconds(planned)} on two CPU cores",
        "Pictures take longer than on the machine of the figure. They are the same.",
        "Close other programs, or use a computer with a GPU.",
        {"value": seconds, "planned": planned},
    )


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"
