"""Slides as OME-Zarr, in the ways in which programs write them, and a server for them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import zarr
from numpy.typing import NDArray

RGB = [{"label": name} for name in ("Red", "Green", "Blue")]


def multiscales(levels: int, axes: str = "cyx", mpp: float = 0.25, **more: Any) -> list[Any]:
    """Return the entry of an image whose levels halve."""
    kinds = {"c": "channel", "t": "time"}
    described = [
        {"name": axis, "type": kinds.get(axis, "space")}
        | ({"unit": "micrometer"} if axis in "zyx" else {})
        for axis in axes
    ]
    datasets = []
    for level in range(levels):
        scale = [mpp * 2**level if axis in "yx" else 1.0 for axis in axes]
        transforms = [{"type": "scale", "scale": scale}]
        datasets.append({"path": str(level), "coordinateTransformations": transforms})
    return [{"axes": described, "datasets": datasets} | more]


def write_ome_zarr(
    folder: Path,
    pixels: NDArray[Any],
    version: int = 3,
    *,
    levels: int = 3,
    axes: str = "cyx",
    about: dict[str, Any] | None = None,
    group: str = "",
    **options: Any,
) -> Path:
    """Write (h, w, channels) pixels as OME-Zarr 0.4 (``version`` 2) or 0.5 (3)."""
    inner = {"multiscales": multiscales(levels, axes), "omero": {"channels": RGB}}
    inner = {"version": "0.5"} | inner | (about or {})
    attributes = inner if version == 2 else {"ome": inner}
    place = folder / group if group else folder
    if group:
        zarr.create_group(folder, zarr_format=version, attributes={"bioformats2raw.layout": 3})
    image = zarr.create_group(place, zarr_format=version, attributes=attributes)
    for level in range(levels):
        shrunk = pixels[:: 2**level, :: 2**level]
        order = ["yxc".index(axis) for axis in axes if axis in "yxc"]
        data = shrunk.transpose(order)
        data = data.reshape(
            [
                data.shape[[a for a in axes if a in "yxc"].index(axis)] if axis in "yxc" else 1
                for axis in axes
            ]
        )
        sizes = {"c": 1, "y": 128, "x": 128}
        chunks = options.get("chunks") or tuple(sizes.get(axis, 1) for axis in axes)
        image.create_array(str(level), data=data, **options | {"chunks": chunks})
    return folder


def change_json(path: Path, **values: Any) -> None:
    """Change entries of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


class _Quiet(SimpleHTTPRequestHandler):
    def __init__(self, *args: Any, asked: list[str], **options: Any) -> None:
        self.asked = asked
        super().__init__(*args, **options)

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve a folder on this machine; yield its address and the paths that are asked for."""
    asked: list[str] = []
    handler = partial(_Quiet, directory=str(folder), asked=asked)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
