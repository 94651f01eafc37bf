"""Runs: processes that make a dataset, how they are followed, stopped and detached."""

from typing import TYPE_CHECKING

from napari_pixcell.late import late

if TYPE_CHECKING:
    from napari_pixcell.datasets.runs.detaching import resume_detached, start_detached
    from napari_pixcell.datasets.runs.listing import RunList, forget_run
    from napari_pixcell.datasets.runs.log import recipe_of, request_stop
    from napari_pixcell.datasets.runs.state import RunState, run_of

__all__ = [
    "RunList",
    "RunState",
    "forget_run",
    "recipe_of",
    "request_stop",
    "resume_detached",
    "run_of",
    "start_detached",
]

# Imported on first use: the window opens before it looks for runs.
__getattr__ = late(
    __name__,
    {
        "detaching": ("resume_detached", "start_detached"),
        "listing": ("RunList", "forget_run"),
        "log": ("recipe_of", "request_stop"),
        "state": ("RunState", "run_of"),
    },
)
