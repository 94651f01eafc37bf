"""OME-Zarr 0.5: one Zarr per image, with its cells under ``labels``."""

from __future__ import annotations

from typing import Any

from napari_pixcell.datasets.formats.base import ExportedPair, Format, under

VERSION = "0.5"
COLOURS = {"Red": "FF0000", "Green": "00FF00", "Blue": "0000FF"}
CELLS = "cells"


class OmeZarr(Format):
    """``NAME.ome.zarr`` with a level of channels, rows and columns, and ``labels/cells``."""

    name = "ome-zarr"
    how = """\
Each NAME.ome.zarr is an OME-Zarr 0.5 image (c, y, x) in µm. Its cells are in labels/cells, where 0
is background and each cell has a number. The attribute “napari-pixcell” holds the record that
reproduces the image.
"""
    needs_masks = False

    def add(self, pair: ExportedPair) -> dict[str, str]:
        """Write a pair."""
        import zarr

        name, mpp = under(pair.part, f"{pair.stem}.ome.zarr"), self.facts.description.mpp
        window = {"min": 0, "max": 255, "start": 0, "end": 255}
        channels = [
            {"label": label, "color": colour, "active": True, "window": window}
            for label, colour in COLOURS.items()
        ]
        scales = [_multiscale(pair.stem, "cyx", mpp)]
        ome = {"version": VERSION, "multiscales": scales, "omero": {"channels": channels}}
        attributes = {"ome": ome, "napari-pixcell": pair.record.to_dict()}
        image = zarr.create_group(
            self.folder / name,
            zarr_format=3,
            attributes=attributes,
            overwrite=True,  # of a process that was killed
        )
        pixels = pair.pixels.transpose(2, 0, 1)
        image.create_array("0", data=pixels, chunks=pixels.shape, dimension_names=list("cyx"))
        where = {"image": name}
        if pair.row["mask"]:
            listed = {"version": VERSION, "labels": [CELLS]}
            about: dict[str, Any] = {"version": VERSION}
            about["image-label"] = {"source": {"image": "../../"}}
            if pair.classes:
                about["image-label"]["properties"] = [
                    {"label-value": label, "class": name} for label, name in pair.classes.items()
                ]
            about["multiscales"] = [_multiscale(CELLS, "yx", mpp)]
            group = image.create_group("labels", attributes={"ome": listed})
            cells = group.create_group(CELLS, attributes={"ome": about})
            labels = pair.labels
            cells.create_array("0", data=labels, chunks=labels.shape, dimension_names=list("yx"))
            where["mask"] = f"{name}/labels/{CELLS}"
        return where


def _multiscale(name: str, axes: str, mpp: float) -> dict[str, Any]:
    """Return the metadata of an image of one level."""
    kinds = {
        "c": {"name": "c", "type": "channel"},
        **{axis: {"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"},
    }
    scale = {"type": "scale", "scale": [1.0 if axis == "c" else mpp for axis in axes]}
    level = {"path": "0", "coordinateTransformations": [scale]}
    return {"name": name, "axes": [kinds[axis] for axis in axes], "datasets": [level]}
