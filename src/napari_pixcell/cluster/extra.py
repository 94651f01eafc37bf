"""Whether the packages that clusters need are installed. Free of Dask."""

from __future__ import annotations

from importlib.util import find_spec

EXTRA = ("dask", "distributed", "dask_jobqueue")


def what_is_missing() -> str:
    """Return which package is missing and how to install it, in a sentence; empty if none is."""
    for package in EXTRA:
        if find_spec(package) is None:
            return (
                f"The package {package} is missing, which clusters need. Install it with: pip "
                'install "napari-pixcell[cluster]"'
            )
    return ""
