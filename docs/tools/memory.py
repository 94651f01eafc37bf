"""The memory and time that each published family needs, from the program's own estimates."""

from __future__ import annotations

from napari_pixcell.models.catalogue import BUILT_IN, STAINS, Family
from napari_pixcell.models.memory import FULL, GB, LADDER, RESERVE, Setting, cpu_seconds, needed

HALF = 2  # bytes a number
COLUMNS = (
    "family",
    "download",
    "GPU memory, all at once",
    "GPU memory, least",
    "memory on a CPU",
    "a tile on a CPU",
)


def markdown() -> str:
    """Return a table of the published families; the stains share a row."""
    rows = [_row(name, family) for name, family in BUILT_IN.items() if _listed(name, family)]
    head = f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}"
    return "\n".join((*head, *rows))


def _listed(name: str, family: Family) -> bool:
    _first, *others = (f"stain-{stain}" for stain in STAINS)
    return not family.bundled and name not in others


def _row(name: str, family: Family) -> str:
    shown = "each `stain-…`" if name.startswith("stain-") else f"`{name}`"
    on_gpu = [setting for setting in LADDER if not setting.on_cpu]
    cells = (
        shown,
        f"{family.bytes / GB:.1f} GB",
        _memory(family, on_gpu[0], HALF),
        _memory(family, on_gpu[-1], HALF),
        _memory(family, LADDER[-1], FULL),
        _time(cpu_seconds(family, family.steps, FULL)),
    )
    return f"| {' | '.join(cells)} |"


def _memory(family: Family, setting: Setting, bytes_per_number: int) -> str:
    return f"{needed(family, setting, bytes_per_number) / (1 - RESERVE) / GB:.0f} GB"


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
