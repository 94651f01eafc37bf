"""Slides as napari layers: in µm and at the exact position."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
import tifffile
from ome_zarr_slides import write_ome_zarr

import napari_pixcell
from napari_pixcell.errors import PixCellError
from napari_pixcell.slides import ArraySlide, Region, placement
from napari_pixcell.slides.reader import get_reader, get_zarr_reader
from napari_pixcell.slides.region import region_to_world, world_to_region
from napari_pixcell.slides.samples import CMU1_SHA256, fetch_cmu1
from napari_pixcell.slides.write import write_pyramid

TISSUE = np.random.default_rng(3).integers(120, 240, (300, 400, 3), np.uint8)


def layer_of(data):
    layer = pytest.importorskip("napari.layers")
    array, options, kind = data
    return getattr(layer, kind.title())(array, **options)


def test_slides_become_layers_in_um(cmu_slide) -> None:
    layer = layer_of(get_reader(str(cmu_slide))(str(cmu_slide))[0])
    assert layer.rgb and not layer.multiscale
    np.testing.assert_allclose(layer.scale, [0.499, 0.499])
    assert [str(u) for u in layer.units] == ["micrometer", "micrometer"]
    assert layer.axis_labels == ("y", "x")
    ours = layer.metadata["napari_pixcell"]
    assert ours["mpp"] == 0.499 and ours["name"] == cmu_slide.name
    assert layer.get_value((499.0, 499.0), world=True).shape == (3,)
    ours["slide"].close()


def test_a_pyramid_becomes_a_multiscale_layer(tmp_path) -> None:
    path = tmp_path / "p.ome.tif"
    write_pyramid(path, np.full((1100, 1300, 3), 90, np.uint8), 0.5)
    layer = layer_of(get_reader([str(path)])([str(path)])[0])
    assert layer.multiscale and len(layer.data) == 3
    assert layer.extent.world[1][1] == pytest.approx(649.5)


def test_slides_without_pixel_size_have_no_units(shared_data) -> None:
    path = str(shared_data / "skimage_skin" / "skin.tif")
    _, options, _ = get_reader(path)(path)[0]
    assert options["scale"] == (1, 1) and "units" not in options
    assert options["metadata"]["napari_pixcell"]["mpp"] is None
    assert "unknown" in options["metadata"]["napari_pixcell"]["mpp_source"]


def test_masks_are_left_to_napari(tmp_path) -> None:
    path = tmp_path / "mask.tif"
    tifffile.imwrite(path, np.ones((30, 30), np.uint16))
    assert get_reader(str(path)) is None
    assert get_reader([str(path), str(path)]) is None


def test_dicom_files_other_than_slides_are_left_to_other_readers(tmp_path) -> None:
    path = tmp_path / "ct.dcm"
    path.write_bytes(bytes(128) + b"DICM" + bytes(200))
    assert get_reader(str(path)) is None


def test_the_reader_accepts_all_vendor_formats() -> None:
    import yaml

    manifest = Path(napari_pixcell.__file__).parent / "napari.yaml"
    readers = yaml.safe_load(manifest.read_text())["contributions"]["readers"]
    (reader,) = (r for r in readers if r["command"] == "napari-pixcell.read_slide")
    formats = {"svs", "ndpi", "mrxs", "scn", "bif", "vms", "vmu", "svslide", "dcm"}
    assert {f"*.{name}" for name in formats} == set(reader["filename_patterns"])


def test_ome_zarr_folders_are_read_or_left_to_other_readers(tmp_path) -> None:
    path = write_ome_zarr(tmp_path / "a.zarr", TISSUE)
    read = get_zarr_reader(str(path))
    assert read is not None
    [(levels, options, kind)] = read(str(path))
    assert (options["scale"], options["multiscale"], kind) == ((0.25, 0.25), True, "image")
    assert [level.shape for level in levels] == [(300, 400, 3), (150, 200, 3), (75, 100, 3)]
    options["metadata"]["napari_pixcell"]["slide"].close()
    grey = write_ome_zarr(tmp_path / "grey.zarr", TISSUE[..., :1], levels=1)
    (tmp_path / "folder").mkdir()
    for other in (grey, tmp_path / "folder", tmp_path / "missing.zarr"):
        assert get_zarr_reader(str(other)) is None
    assert get_zarr_reader([str(path), str(path)]) is None
    (path / "zarr.json").write_text("{")
    read = get_zarr_reader(str(path))
    assert read is not None  # so that the error says what is wrong
    with pytest.raises(PixCellError, match="not valid JSON"):
        read(str(path))


def test_opening_a_damaged_slide_in_napari_explains_the_error(tmp_path) -> None:
    path = tmp_path / "cut.svs"
    path.write_bytes(b"II*\0")
    with pytest.raises(PixCellError, match="cut short"):
        get_reader(str(path))(str(path))


def test_an_image_covers_its_region_exactly() -> None:
    region, mpp = Region(100.25, 40, 513, 514), 0.499
    scale, translate = placement(region, mpp, (256, 257, 3))
    layer = layer_of(
        (np.zeros((256, 257), int), {"scale": scale, "translate": translate}, "labels")
    )
    low, high = layer.extent.world
    edges = low - np.array(scale) / 2, high + np.array(scale) / 2
    np.testing.assert_allclose([*edges[0], *edges[1]], region_to_world(region, mpp), atol=1e-9)


def test_regions_convert_to_world_coordinates_and_back() -> None:
    region = Region(100.25, 40, 513, 514)
    back = world_to_region(*region_to_world(region, 0.499), 0.499)
    np.testing.assert_allclose(back.as_list(), region.as_list())


def test_pixels_read_lie_at_their_position_on_the_slide() -> None:
    yy, xx = np.mgrid[:400, :400] + 0.5
    dot = 255 - 250 * np.exp(-((xx - 150.5) ** 2 + (yy - 220.5) ** 2) / 200)
    slide = ArraySlide([np.repeat(dot[..., None], 3, 2).round().astype(np.uint8)], 0.25, "dot")
    region = Region(90.3, 150.7, 130, 130)
    pixels = slide.read(region, 0.5)
    scale, translate = placement(region, 0.25, pixels.shape)
    dark = 255.0 - pixels[..., 0]
    at = [np.average(np.arange(n), weights=dark.sum(1 - i)) for i, n in enumerate(dark.shape)]
    world = np.array(at) * scale + translate
    # the layer of the slide shows that dot at pixel (220, 150), counted from centres
    np.testing.assert_allclose(world, [220 * 0.25, 150 * 0.25], atol=0.02)


@pytest.fixture
def serve():
    servers = []

    def start(body: bytes, status: int = 200) -> tuple[str, list[str]]:
        seen: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                seen.append(self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None: ...

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/cmu1", seen

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_cmu1_is_downloaded_once_and_checked(cmu_slide, serve, tmp_path) -> None:
    url, seen = serve(cmu_slide.read_bytes())
    path = fetch_cmu1(url, tmp_path / "cache")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == CMU1_SHA256
    assert fetch_cmu1(url, tmp_path / "cache") == path
    assert len(seen) == 1
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_download_with_the_wrong_hash_is_discarded(serve, tmp_path) -> None:
    url, _ = serve(b"a login page")
    with pytest.raises(PixCellError, match="not the expected file"):
        fetch_cmu1(url, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_download_is_explained(serve, tmp_path, monkeypatch) -> None:
    url, _ = serve(b"", 503)
    for address in (url, "http://127.0.0.1:9/cmu1"):
        monkeypatch.setenv("PIXCELL_CMU1_URL", address)
        with pytest.raises(PixCellError, match=r"could not be downloaded\. Connect"):
            fetch_cmu1(folder=tmp_path)
