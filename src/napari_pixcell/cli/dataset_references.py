"""``napari-pixcell dataset references``: the real tissue that pairs must not copy."""

from __future__ import annotations

from napari_pixcell.cli import options as cli
from napari_pixcell.cli.messages import note
from napari_pixcell.datasets.store.dataset import Dataset

PRIVATE = "It holds pictures of real tissue. Keep it as private as the slides, and delete it later."


@cli.command(
    "dataset references",
    cli.DATASET,
    cli.exclusive(
        cli.path("--export", "FILE", "export them to a private file, for another machine"),
        cli.path("--import", "FILE", "import such a file on this machine", dest="file"),
    ),
    cli.examples("dataset references twin", "dataset references twin --export tissue.zip"),
)
def references(options: cli.Options) -> cli.Result:
    """Count, export or import the real tissue that pairs are compared with to find copies."""
    from napari_pixcell.datasets.recipe.references import (
        export_references,
        import_references,
        references_of,
    )

    dataset, found = Dataset(options.folder), cli.Result()
    if options.export is not None:
        exported = export_references(dataset, options.export)
        found = {"file": str(options.export), "exported": exported}
        note(PRIVATE)
    elif options.file is not None:
        found = {"imported": import_references(dataset, options.file)}
    here = references_of(dataset)
    return found | {"styles on this machine": here.here, "missing": here.lacking}
