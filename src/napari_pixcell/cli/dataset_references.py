"""``napari-pixcell dataset references``: the real tissue that pairs must not copy."""

from __future__ import annotations

import sys

from napari_pixcell.cli import options as cli
from napari_pixcell.datasets.recipe.references import (
    export_references,
    import_references,
    references_of,
)
from napari_pixcell.datasets.store.dataset import Dataset

PRIVATE = "It holds pictures of real tissue. Keep it as private as the slides, and delete it later."


@cli.command(
    "dataset references",
    cli.path("folder", "DIR", "folder of the dataset"),
    cli.exclusive(
        cli.path("--export", "FILE", "write them to a private file, for another machine"),
        cli.path("--import", "FILE", "keep those of such a file on this machine", dest="file"),
    ),
)
def references(options: cli.Options) -> cli.Result:
    """Count, export or import the real tissue that pairs are compared with to find copies."""
    dataset, found = Dataset(options.folder), cli.Result()
    if options.export is not None:
        exported = export_references(dataset, options.export)
        found = {"file": str(options.export), "exported": exported}
        print(PRIVATE, file=sys.stderr)
    elif options.file is not None:
        found = {"imported": import_references(dataset, options.file)}
    here = references_of(dataset)
    return found | {"styles on this machine": here.here, "missing": here.lacking}
