"""``napari-pixcell rerun``: the pixels of a record, generated again."""

from __future__ import annotations

from dataclasses import replace

from napari_pixcell.cli import options as cli
from napari_pixcell.cli.running import Export, engine
from napari_pixcell.engine.events import Variant
from napari_pixcell.engine.record import pixels_sha256
from napari_pixcell.slides.stored_picture import StoredPicture


@cli.command(
    "rerun",
    cli.path("record", "RECORD", "a record or exported image"),
    cli.path("--out", "DIR", "folder for the image and mask"),
)
def rerun(options: cli.Options) -> cli.Result:
    """Reproduce the image of a record."""
    from napari_pixcell.datasets import read_record

    record = read_record(options.record)
    record.check_weights(engine().load(record.request.family).weights)
    image = engine().reproduce(record)
    sha256 = pixels_sha256(image)
    result: cli.Result = {
        "same pixels": "yes"
        if sha256 == record.sha256
        else "no: the original was computed on another device or library version",
        "sha256": sha256,
    }
    if options.out:
        export = Export(options.out)
        export.write(Variant(0, image, replace(record, sha256=sha256)))
        result |= export.result()
    elif isinstance(image, StoredPicture):
        image.delete()
    return result
