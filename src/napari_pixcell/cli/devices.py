"""The device of ``--device``, for this process and those that it starts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from napari_pixcell.cli import options as cli
from napari_pixcell.cli.messages import environment
from napari_pixcell.errors import PixCellError
from napari_pixcell.preferences import DEVICE


@contextmanager
def on_device(name: str | None) -> Iterator[None]:
    """Run networks on a device; by default on the best one.

    Raises
    ------
    PixCellError
        If this machine does not have it.
    """
    if name is None:
        yield
        return
    from napari_pixcell.models.loading import check_device

    check_device(name)
    with environment({DEVICE.variable: name}):
        yield


def check_device_alone(options: cli.Options, other: str) -> None:
    """Raise PixCellError if ``--device`` is combined with an option that chooses devices itself."""
    if getattr(options, "device", None) is not None:
        raise PixCellError(
            f"--device cannot be combined with --{other}, which chooses the devices itself. "
            "Leave one of them out."
        )
