"""The GPUs of this machine, as environment variables of the processes that are to use them."""

from __future__ import annotations

import os

from napari_pixcell.errors import PixCellError
from napari_pixcell.preferences import DEVICE

ALL = "all"


def gpu_environments(wanted: str) -> list[dict[str, str]]:
    """Return the environment variables of a process on each of some GPUs.

    Parameters
    ----------
    wanted : str
        ``all``, or numbers such as ``0,2``. They count the GPUs that this process may use.

    Raises
    ------
    PixCellError
        If there is no such GPU.
    """
    return [{"CUDA_VISIBLE_DEVICES": one, DEVICE.variable: "cuda"} for one in _devices(wanted)]


def _devices(wanted: str) -> list[str]:
    """Return the devices as ``CUDA_VISIBLE_DEVICES`` names them."""
    import torch

    count = torch.cuda.device_count()
    if not count:
        raise PixCellError(
            "PyTorch finds no GPU on this machine. Choose a number of workers instead."
        )
    known = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")  # set by a scheduler
    devices = known[:count] if known != [""] else [str(number) for number in range(count)]
    if wanted == ALL:
        return devices
    numbers = wanted.split(",")
    if not all(number.isdecimal() and int(number) < count for number in numbers):
        raise PixCellError(
            f"There are no such GPUs: “{wanted[:40]}”. Use all, or some of: "
            f"{', '.join(map(str, range(count)))}."
        )
    return [devices[number] for number in dict.fromkeys(map(int, numbers))]
