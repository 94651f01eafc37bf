"""A QuPath project: TIFF images, their cells as GeoJSON, and a script that imports the cells."""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from importlib.resources import files
from typing import Any

from napari_pixcell.datasets.formats.base import ExportedPair, Format, under

PROJECT, SCRIPT = "project.qpproj", "scripts/import_cells.groovy"
ENTRIES = "entries.jsonl"  # until the project is written
WRITTEN_FOR = "0.5.0"  # version of QuPath; later ones open it
PROVIDER = "qupath.lib.images.servers.bioformats.BioFormatsServerBuilder"
# QuPath stores absolute addresses. This place says nothing of the computer. QuPath replaces it by
# the folder of the project when that is opened.
PLACE = "file:/C:/napari-pixcell"


class QuPath(Format):
    """``project.qpproj``, and ``NAME.tif`` with ``NAME.geojson`` beside it for each image."""

    name = "qupath"
    how = """\
Open project.qpproj in QuPath 0.5 or later. QuPath asks once to update the addresses of the images:
choose “Apply changes”. Then run Automate → Project scripts → import_cells, which adds the cells to
every image. The images state their pixel size. Without the project, drag a GeoJSON file onto the
image of the same name.
"""

    def add(self, pair: ExportedPair) -> dict[str, str]:
        """Write a pair."""
        from napari_pixcell.cells.outlines import outlines_of
        from napari_pixcell.cells.writing import write_geojson

        stem = under(pair.part, pair.stem)
        image = self.put(f"{stem}.tif", pair.picture(".tif"))
        cells = outlines_of(pair.labels, pair.classes)
        name = f"{self.facts.description.id} {pair.stem}"
        write_geojson(self.folder / f"{stem}.geojson", cells, identity=name)
        entry = _entry(pair, image, name)
        server = json.dumps(entry["serverBuilder"], indent=1)
        self.put(f"data/{entry['entryID']}/server.json", server.encode())
        self.end(ENTRIES, json.dumps(entry).encode() + b"\n")
        return {"image": image, "outlines": f"{stem}.geojson"}

    def close(self) -> None:
        """Write the project and its script."""
        made = int(datetime.fromisoformat(self.facts.description.created).timestamp() * 1000)
        rows = self.folder / ENTRIES
        images = [json.loads(line) for line in rows.read_text(encoding="utf-8").splitlines()]
        rows.unlink()
        project = {
            "version": WRITTEN_FOR,
            "createTimestamp": made,
            "modifyTimestamp": made,
            "uri": f"{PLACE}/{PROJECT}",
            "lastID": max(one["entryID"] for one in images),
            "images": images,
        }
        self.put(PROJECT, json.dumps(project, indent=1).encode())
        script = files("napari_pixcell.datasets.formats") / "import_cells.groovy"
        self.put(SCRIPT, script.read_bytes())


def _entry(pair: ExportedPair, image: str, name: str) -> dict[str, Any]:
    """Return the entry of an image; QuPath reads size and pixel size from the image itself."""
    about = {key: str(value) for key, value in pair.about.items()}
    return {
        "serverBuilder": {
            "builderType": "uri",
            "providerClassName": PROVIDER,
            "uri": f"{PLACE}/{image}",
            "args": [],
        },
        "entryID": pair.row["index"] + 1,
        "randomizedName": str(uuid.uuid5(uuid.NAMESPACE_OID, name)),
        "imageName": image,
        "metadata": about | ({"part": pair.part} if pair.part else {}),
    }
