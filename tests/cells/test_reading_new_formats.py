"""Cells from annotation tools: XML, Labelme, text, tables, ``.mat`` and OME-Zarr."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import zarr
from PIL import Image
from scipy.io import savemat

from napari_pixcell.cells import CellsFile, outlines_of, put_on_slide, rasterise, read_cells
from napari_pixcell.cells.reading import polygon_text, shapes, xml_events
from napari_pixcell.cells.reading.limits import holds_cells
from napari_pixcell.errors import PixCellError

Read = Callable[..., CellsFile]
SQUARE = [(2, 3), (12, 3), (12, 9), (2, 9)]  # 60 px
HOLE = [(4, 4), (8, 4), (8, 7), (4, 7)]  # 12 px
FAR = [(30, 30), (40, 30), (40, 34), (30, 34)]  # 40 px
LABELS = np.zeros((24, 32), np.int32)
LABELS[3:9, 2:12], LABELS[12:20, 4:9], LABELS[12:20, 9:14] = 1, 2, 5


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read(name: str, data: Any, **options: Any) -> CellsFile:
        data = json.dumps(data) if isinstance(data, dict) else data
        data = data.encode() if isinstance(data, str) else data
        path = tmp_path / name
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return read_cells(path, **options)

    return read


def seen(file: CellsFile) -> list[tuple[float, str]]:
    """Return area and class of each cell."""
    outlines = file.as_outlines()
    return list(zip(shapely.area(outlines.polygons).tolist(), outlines.classes, strict=True))


def vertices(points: Any, tag: str = "Vertex") -> str:
    return "".join(f'<{tag} X="{x}" Y="{y}" Z="0"/>' for x, y in points)


def region(points: Any, told: str = "") -> str:
    return f"<Region {told}><Attributes/><Vertices>{vertices(points)}</Vertices></Region>"


def aperio(*layers: str, told: str = "") -> str:
    return f"<Annotations {told}>{''.join(layers)}</Annotations>"


def layer(name: str, *regions: str, attribute: str = "") -> str:
    heads = (
        '<RegionAttributeHeaders><AttributeHeader Id="1" Name="Region"/></RegionAttributeHeaders>'
    )
    return (
        f'<Annotation Id="1" Name="{name}" Type="4"><Attributes>{attribute}</Attributes>'
        f"<Regions>{heads}{''.join(regions)}</Regions></Annotation>"
    )


# XML


def test_layers_holes_and_names_of_aperio(read: Read) -> None:
    monusac = '<Attribute Name="Epithelial" Id="0" Value=""/>'
    plain = '<Attribute Name="Description" Id="0" Value="Immune"/>'
    text = aperio(
        layer("", region(SQUARE, 'Type="0"'), region(HOLE, 'NegativeROA="1"'), attribute=monusac),
        layer("", region(FAR), region(FAR, 'Text="Odd"'), attribute=plain),
        layer("Tumour", region(FAR[::2], 'Type="1"'), region(FAR, 'Type="2"')),
        layer("", region(FAR[:2], 'Type="4"'), region(FAR[:1]), region(HOLE, 'NegativeROA="1"')),
        told='MicronsPerPixel="0,25"',
    )
    file = read("a.xml", "\ufeff" + text.replace("\n", "\r\n"))
    assert file.mpp is None and file.shape is None
    *plain_ones, round_one = seen(file)
    assert plain_ones == [(48, "Epithelial"), (40, "Immune"), (40, "Odd"), (40, "Tumour")]
    assert round_one[0] == pytest.approx(np.pi * 10, rel=0.01)
    assert file.report.dropped == {
        "lines or points": 1,
        "without area": 1,
        "of holes outside of cells": 1,
    }
    assert file.report.changed == {"drawn as rectangles or ellipses": 2}


@pytest.mark.parametrize("coding", ["utf-16", "latin-1", "utf-8-sig", "wrong"])
def test_encodings_namespaces_and_compression_of_xml(read: Read, coding: str) -> None:
    said = {"utf-8-sig": "utf-8", "wrong": "utf-16"}.get(coding, coding)
    text = aperio(layer("Zellkärne", region(SQUARE)), told='xmlns="urn:a" xmlns:b="urn:b"')
    data = f'<?xml version="1.0" encoding="{said}"?>\r\n{text}'
    data = data.encode("utf-8" if coding == "wrong" else coding)
    assert seen(read("a.xml.gz", b"\r\n" * (coding == "wrong") + data)) == [(60, "Zellkärne")]


def test_asap(read: Read) -> None:
    def annotation(points: Any, kind: str, group: str) -> str:
        turned = reversed(list(enumerate(points)))
        inside = "".join(f'<Coordinate Order="{n}" X="{x},0" Y="{y}" />' for n, (x, y) in turned)
        told = f'Name="A" Type="{kind}" PartOfGroup="{group}" Color="#F4FA58"'
        return f"<Annotation {told}><Coordinates>{inside}</Coordinates></Annotation>"

    inside = annotation(SQUARE, "Polygon", "None") + annotation(FAR, "Spline", "Tumor")
    inside += annotation(FAR[:1], "Dot", "Tumor")
    file = read(
        "a.xml", f"<ASAP_Annotations><Annotations>{inside}</Annotations></ASAP_Annotations>"
    )
    assert seen(file) == [(60, ""), (40, "Tumor")]
    assert file.report.dropped == {"lines or points": 1}


def cvat(*images: str) -> str:
    parts = [
        f'<image id="{n}" name="set/{n}.png" width="64" height="48">{image}</image>'
        for n, image in enumerate(images)
    ]
    return f"<annotations><version>1.1</version>{''.join(parts)}</annotations>"


def test_shapes_of_cvat(read: Read) -> None:
    points = ";".join(f"{x}.00,{y}.00" for x, y in SQUARE)
    file = read(
        "a.xml",
        cvat(
            f'<polygon label="c" source="manual" points="{points}"><attribute name="a"/></polygon>'
            '<mask label="m" rle="1, 2, 4, 2" left="20" top="10" width="3" height="3"/>'
            '<box label="b" xtl="2" ytl="2" xbr="6" ybr="4" rotation="90"/>'
            '<ellipse label="e" cx="20" cy="20" rx="4" ry="2"/><points label="p" points="1,1"/>'
            '<mask label="m" rle="1, 99" left="20" top="10" width="3" height="3"/>'
            '<polygon label="c" points="1,1;a,2;3"/>'
        ),
    )
    assert file.shape == (48, 64)
    by_class = {name: area for area, name in seen(file)}
    assert by_class.pop("e") == pytest.approx(np.pi * 8, rel=0.01)
    assert by_class == {"c": 60, "m": 4, "b": pytest.approx(8)}
    assert file.report.dropped == {"lines or points": 1, "with broken coordinates": 2}
    [mask] = file.outlines.take(file.outlines.classes == "m").polygons
    assert shapely.bounds(mask).tolist() == [21, 10, 23, 13]


def test_one_of_several_images_of_cvat_is_chosen_by_name(read: Read) -> None:
    text = cvat('<polygon points="0,0;9,0;9,2;0,2"/>', '<polygon points="0,0;4,0;4,2;0,2"/>')
    assert [area for area, _ in seen(read("a.xml", text, image="1.tif"))] == [8]
    with pytest.raises(PixCellError, match=r"cells of 2 images \(0\.png, 1\.png\)"):
        read("a.xml", text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('<annotations><ndpviewstate id="1"/></annotations>', "NDP.view"),
        (
            "<Annotations><Annotation><Regions><V X='1'/></Regions></Annotation></Annotations>",
            "HALO",
        ),
        ("<annotations><meta/><track/></annotations>", "tracks of a video"),
        ("<annotation><filename/></annotation>", "Pascal VOC"),
        ("<OME/>", "OME-XML"),
        ("<other/>", r"unknown format \(other\)"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><Annotations>&b;</Annotations>', "document type"),
        ("<Annotations><Annotation>", "not complete XML"),
        ("<" * 9, "not complete XML"),
        ("<a>" * 100, "nested too deeply"),
        (aperio(), "has no cells"),
    ],
)
def test_other_xml_is_refused_by_its_name(read: Read, text: str, words: str) -> None:
    with pytest.raises(PixCellError, match=words):
        read("a.xml", text)


def test_xml_is_bounded(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_events, "MOST_ELEMENTS", 20)
    with pytest.raises(PixCellError, match="more than 20 corners"):
        read("a.xml", aperio(layer("", region(SQUARE * 9))))
    monkeypatch.setattr(xml_events, "MOST_BYTES", 2**20)
    with pytest.raises(PixCellError, match="larger than 1 MB uncompressed"):
        read("a.xml.gz", "<Annotations>" + " " * 2**21)
    monkeypatch.setattr(xml_events, "LONGEST", 2**17)
    with pytest.raises(PixCellError, match="an element of more than 0 MB"):
        read("a.xml.gz", "<Annotations a='" + " " * 2**19)


# Labelme


def png(mask: Any) -> str:
    file = io.BytesIO()
    Image.fromarray(np.asarray(mask, np.uint8) * 255).convert("1").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def labelme(*shapes: dict[str, Any], size: Any = (48, 64)) -> dict[str, Any]:
    return {
        "version": "5.0.1",
        "flags": {},
        "shapes": [{"label": "n", "group_id": None, "flags": {}} | one for one in shapes],
        "imagePath": "a.png",
        "imageData": "AAAA" * 1000,
        "imageHeight": size[0],
        "imageWidth": size[1],
    }


def test_shapes_of_labelme(read: Read) -> None:
    mask = {"points": [[20, 10], [22, 12]], "mask": png([[0, 1, 1], [0, 0, 0], [0, 1, 1]])}
    file = read(
        "a.json",
        labelme(
            {"points": SQUARE, "shape_type": "polygon"},
            {"points": SQUARE[::2], "shape_type": "rectangle"},
            {"points": [[20, 20], [24, 20]], "shape_type": "circle"},
            mask | {"shape_type": "mask"},
            {"points": FAR, "label": "two", "group_id": 1},
            {"points": SQUARE, "label": "two", "group_id": 1},
            {"points": FAR[:1], "shape_type": "point"},
            {"points": [[1, "a"]], "shape_type": "polygon"},
            mask | {"shape_type": "mask", "mask": "AAAA"},
            mask | {"shape_type": "mask", "mask": png([[1]])[:40]},
        ),
    )
    areas = [area for area, _ in seen(file)]
    assert file.shape == (48, 64) and sorted(areas)[:4] == [
        4,
        pytest.approx(50.2, rel=0.01),
        60,
        60,
    ]
    assert seen(file)[-1] == (100, "two")
    assert file.report.dropped == {"lines or points": 1, "with broken coordinates": 3}


def test_labelme_without_a_size_and_with_a_huge_mask(read: Read) -> None:
    assert read("a.json", labelme({"points": SQUARE}, size=(None, 3))).shape is None
    huge = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(huge, "PNG")
    text = base64.b64encode(huge.getvalue()).decode()
    with pytest.raises(PixCellError, match="too large to decode"):
        read("a.json", labelme({"points": SQUARE, "shape_type": "mask", "mask": text}))


@pytest.mark.parametrize("noisy", [False, True])
def test_many_or_noisy_masks_are_refused(
    read: Read, monkeypatch: pytest.MonkeyPatch, noisy: bool
) -> None:
    monkeypatch.setattr(shapes, "MOST_EDGES" if noisy else "MOST_CROPS", 20)
    mask = png([[0, 1, 0, 1], [1, 0, 1, 0]])
    shape = {"points": SQUARE, "shape_type": "mask", "mask": mask}
    with pytest.raises(PixCellError, match="too large to decode"):
        read("a.json", labelme(*[shape] * 3))


# Text


@pytest.mark.parametrize("folder", ["", "labels/train"])
def test_yolo_polygons_use_the_size_of_their_image(tmp_path: Path, folder: str) -> None:
    rows = [
        f"{kind} " + " ".join(f"{x / 64:.6g} {y / 48:.6g}" for x, y in points)
        for kind, points in ((0, SQUARE), (3, FAR))
    ]
    labels, images = tmp_path / folder, tmp_path / folder.replace("labels", "images")
    for one in (labels, images):
        one.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 48)).save(images / "a.PNG")
    (labels / "a.txt").write_text("\ufeff" + "\r\n".join([*rows, rows[0] + " 0.9", "", "0 0 0 1"]))
    file = read_cells(labels / "a.txt")
    assert file.shape == (48, 64)
    assert [(round(area, 2), name) for area, name in seen(file)] == [
        (60, "class 0"),
        (40, "class 3"),
        (60, "class 0"),
    ]
    assert file.report.dropped == {"with broken coordinates": 1}
    (images / "a.PNG").write_bytes(b"\x89PNG")
    with pytest.raises(PixCellError, match=r"The size of “a\.PNG”"):
        read_cells(labels / "a.txt")


def test_exported_yolo_polygons_are_read_exactly(tmp_path: Path) -> None:
    from napari_pixcell.datasets.formats.yolo import rings

    lines = [" ".join(["0", *(f"{one:.6g}" for one in ring.ravel())]) for ring in rings(LABELS)]
    Image.new("L", LABELS.shape[::-1]).save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("\n".join(lines))
    labels, *_ = rasterise(read_cells(tmp_path / "a.txt").outlines, LABELS.shape)
    assert np.array_equal(labels, np.unique(LABELS, return_inverse=True)[1].reshape(LABELS.shape))


def test_outlines_of_cellpose_are_pixel_centres(read: Read) -> None:
    file = read("a_cp_outlines.txt.gz", "2,3,11,3,11,8,2,8\r\n30,30\n1,2,3,x\n1,2,3")
    labels, *_ = rasterise(file.outlines, (40, 40))
    assert (labels == 1).sum() == 60 and labels[3:9, 2:12].all() and labels[30, 30] == 2
    assert file.report.dropped == {"with broken coordinates": 2}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.txt", "0 0.1 0.1 0.2 0.1 0.2 0.2", "size of their image, which was not found"),
        ("a.txt", "0 0.5 0.5 0.1 0.1", "has YOLO boxes"),
        ("a.txt", "hello", "text of an unknown format"),
        ("a.csv", "Image,Centroid X µm,Centroid Y µm\n", "measurements of QuPath"),
        ("a.csv", "ImageNumber,ObjectNumber\n", "CellProfiler"),
        ("a.csv", "cell_id,x_centroid,y_centroid\n", "a table of cells"),
        ("a.tsv", "cell_id\tvertex_x\tvertex_y\n1\tx\ty\n", "damaged"),
        ("a.csv", "cell_id,vertex_x,vertex_y\n", "has no cells"),
    ],
)
def test_other_text_is_refused_by_its_name(read: Read, name: str, text: str, words: str) -> None:
    with pytest.raises(PixCellError, match=words):
        read(name, text)


def test_text_is_bounded(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polygon_text, "LONGEST_LINE", 20)
    with pytest.raises(PixCellError, match="more than 20 characters"):
        read("a.txt", "1,2,3,4\n" + "1,2," * 9)


def test_yolo_coordinates_in_pixels_are_refused(read: Read, tmp_path: Path) -> None:
    Image.new("L", (9, 9)).save(tmp_path / "a.png")
    with pytest.raises(PixCellError, match="not between 0 and 1"):
        read("a.txt", "0 1 1 20 1 20 20")


# Tables


def table(points: Any = (SQUARE, FAR), **more: Any) -> dict[str, Any]:
    rows = [(f"aa-{n}", float(x), float(y)) for n, ring in enumerate(points) for x, y in ring]
    return (
        dict(zip(("cell_id", "vertex_x", "vertex_y"), zip(*rows, strict=True), strict=True)) | more
    )


@pytest.mark.parametrize(
    ("name", "delimiter", "decimal", "coding"),
    [
        ("cell_boundaries.csv", ",", ".", "utf-8"),
        ("cell_boundaries.csv.gz", ",", ".", "utf-8-sig"),
        ("cell_boundaries.csv", ";", ",", "utf-16"),
        ("cell_boundaries.tsv", "\t", ".", "utf-8"),
    ],
)
def test_boundaries_of_xenium_are_in_microns(
    read: Read, name: str, delimiter: str, decimal: str, coding: str
) -> None:
    columns = table()
    lines = [delimiter.join(f'"{one}"' for one in columns)]
    for one, *xy in zip(*columns.values(), strict=True):
        lines.append(delimiter.join([f'"{one}"', *(str(v).replace(".", decimal) for v in xy)]))
    file = read(name, "\r\n".join(lines).encode(coding))
    assert seen(file) == [(60, ""), (40, "")]
    assert file.mpp == 1 and file.shape is None
    on_slide = put_on_slide(file, (100, 100), 0.5)
    assert on_slide is not None
    assert shapely.bounds(on_slide.outlines.polygons[0]).tolist() == [4, 6, 24, 18]


def test_boundaries_of_xenium_as_parquet(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pieces = [1] * 4 + [2] * 4
    columns = table() | {"cell_id": ["a", "b"] * 2 + ["a"] * 4, "label_id": pieces}
    columns["cell_id"] = ["a"] * 8  # two nuclei of one cell
    pq.write_table(pa.table(columns), tmp_path / "nucleus_boundaries.parquet")
    file = read_cells(tmp_path / "nucleus_boundaries.parquet")
    assert seen(file) == [(60, ""), (40, "")] and file.mpp == 1


def geo_table(tmp_path: Path, geometries: list[Any], about: Any = None, **more: Any) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    values = [one if isinstance(one, bytes) else shapely.to_wkb(one) for one in geometries]
    found = pa.table({"geometry": pa.array(values, pa.binary())} | more)
    about = about or {"primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB"}}}
    path = tmp_path / "cells.parquet"
    pq.write_table(found.replace_schema_metadata({"geo": json.dumps(about)}), path)
    return path


def test_geometries_of_geoparquet(tmp_path: Path) -> None:
    square, far = shapely.Polygon(SQUARE, [HOLE]), shapely.Polygon(FAR)
    nested = (struct.pack("<BII", 1, 6, 1)) * 100_000  # would crash GEOS
    kinds = [
        square,
        shapely.MultiPolygon([square, far]),
        shapely.force_3d(far),
        shapely.to_wkb(shapely.set_srid(far, 4326), byte_order=0, include_srid=True),
        shapely.to_wkb(shapely.force_3d(far), flavor="iso"),
        shapely.Point(1, 1),
        nested,
        b"\x01\x03",
    ]
    path = geo_table(tmp_path, kinds, classification=list("abcdefgh"))
    file = read_cells(path)
    assert seen(file) == [(48, "a"), (88, "b"), (40, "c"), (40, "d"), (40, "e")]
    assert file.report.dropped == {"lines or points": 1, "with broken coordinates": 2}
    assert file.mpp is None


def test_circles_of_spatialdata_and_planes_of_vizgen(tmp_path: Path) -> None:
    file = read_cells(geo_table(tmp_path, [shapely.Point(20, 20)], radius=[4.0]))
    assert seen(file)[0][0] == pytest.approx(np.pi * 16, rel=0.01)
    shapes = [shapely.Polygon(one) for one in (SQUARE, FAR, FAR)]
    file = read_cells(geo_table(tmp_path, shapes, ZIndex=[0, 1, 2], EntityID=[1, 1, 1]))
    assert seen(file) == [(40, "")] and file.mpp == 1


def test_other_parquet_is_refused(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"x": [1], "y": [2]}), tmp_path / "a.parquet")
    with pytest.raises(PixCellError, match=r"without outlines \(columns x, y\)"):
        read_cells(tmp_path / "a.parquet")
    about = {"primary_column": "geometry", "columns": {"geometry": {"encoding": "polygon"}}}
    with pytest.raises(PixCellError, match="not encoded as WKB"):
        read_cells(geo_table(tmp_path, [shapely.Point(1, 1)], about))


# MATLAB


@pytest.mark.parametrize(
    "more",
    [
        {"inst_type": [[1], [2], [1]]},
        {"class": [1, 1, 2], "id": [1, 5, 2]},
        {"inst_type": [1, 2, 0, 0, 1]},
        {"type_map": np.array([0, 1, 2, 0, 0, 1])[LABELS]},
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_instance_maps_of_hovernet(tmp_path: Path, more: dict[str, Any], packed: bool) -> None:
    savemat(tmp_path / "a.mat", {"inst_map": LABELS.astype(float), **more}, do_compression=packed)
    file = read_cells(tmp_path / "a.mat")
    assert np.array_equal(file.labels, LABELS)
    assert file.classes == {1: "type 1", 2: "type 2", 5: "type 1"}


def test_other_mat_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_pixcell.cells.reading import matlab

    savemat(tmp_path / "a.mat", {"other": LABELS})
    with pytest.raises(PixCellError, match="no “inst_map”"):
        read_cells(tmp_path / "a.mat")
    savemat(tmp_path / "a.mat", {"inst_map": LABELS + 0.5})
    with pytest.raises(PixCellError, match="negative or fractional"):
        read_cells(tmp_path / "a.mat")
    savemat(tmp_path / "a.mat", {"inst_map": np.zeros((4, 4, 4))})
    with pytest.raises(PixCellError, match="not a flat label image"):
        read_cells(tmp_path / "a.mat")
    monkeypatch.setattr(matlab, "MOST_PIXELS", 9)
    savemat(tmp_path / "a.mat", {"inst_map": LABELS})
    with pytest.raises(PixCellError, match="more than 9 px"):
        read_cells(tmp_path / "a.mat")
    monkeypatch.setattr(matlab, "MOST_BYTES", 10_000_000)
    savemat(tmp_path / "a.mat", {"inst_map": np.zeros((4000, 4000))}, do_compression=True)
    with pytest.raises(PixCellError, match="larger than 10 MB uncompressed"):
        read_cells(tmp_path / "a.mat")


@pytest.mark.parametrize(
    ("name", "head", "words"),
    [
        ("a.mat", b"MATLAB 7.3 MAT-file", "MATLAB 7.3"),
        ("a.mat", b"\x89HDF\r\n\x1a\n", "MATLAB 7.3"),
        ("a.mat", b"MATLAB 5.0 MAT-file", "not a complete MATLAB 5 file"),
        ("a.mat", b"abc", "not a complete MATLAB file"),
        ("a.parquet", b"PAR1", "not a complete Parquet file"),
        ("a.parquet", b"abc", "not a complete Parquet file"),
        ("a.h5ad", b"\x89HDF\r\n\x1a\n", "an AnnData table"),
        ("a.ims", b"\x89HDF\r\n\x1a\n", "an Imaris file"),
        ("a.h5", b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        ("a.db", b"SQLite format 3\0", "an SQLite database"),
        ("a.gpkg", b"GPKG", "a GeoPackage"),
        ("a.qpdata", b"\xac\xed\0\x05", "a QuPath data file"),
        ("a.xlsx", b"PK\3\4", "an Excel table"),
        ("a.ndpa", b"<", "NDP.view"),
        ("a.annotations", b"<", "HALO"),
    ],
)
def test_other_formats_are_refused_by_their_names(
    read: Read, name: str, head: bytes, words: str
) -> None:
    with pytest.raises(PixCellError, match=words):
        read(name, head)


# OME-Zarr


def ome_zarr(
    folder: Path, version: int = 3, names: tuple[str, ...] = ("cells",), **options: Any
) -> Path:
    """Write an image with labels at two levels."""
    axes = [{"name": one, "type": "space", "unit": "micrometer"} for one in "zyx"]
    scales = [
        {
            "path": str(level),
            "coordinateTransformations": [{"type": "scale", "scale": [1, *[0.5 * 2**level] * 2]}],
        }
        for level in range(2)
    ]

    def about(told: dict[str, Any]) -> dict[str, Any]:
        return {"ome": {"version": "0.5", **told}} if version == 3 else told

    root = zarr.create_group(folder, zarr_format=version, attributes=about({"multiscales": [{}]}))
    labels = root.create_group("labels", attributes=about({"labels": list(names)}))
    for name in names:
        told = {"image-label": {}, "multiscales": [{"axes": axes, "datasets": scales}]}
        group = labels.create_group(name, attributes=about(told))
        for level in range(2):
            data = LABELS[None, :: 2**level, :: 2**level]
            group.create_array(str(level), data=data, chunks=(1, 8, 8), **options)
    return folder


@pytest.mark.parametrize("version", [2, 3])
def test_labels_of_ome_zarr(tmp_path: Path, version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_pixcell.cells.reading import zarr_labels

    folder = ome_zarr(tmp_path / "a.ome.zarr", version)
    [described] = [one for one in (".zattrs", "zarr.json") if (folder / one).is_file()]
    label = folder / "labels" / "cells"
    assert holds_cells(label) and not holds_cells(folder)
    for path in (folder, folder / described, folder / "labels", label):
        file = read_cells(path)
        assert np.array_equal(file.labels, LABELS) and (file.mpp, file.shape) == (0.5, LABELS.shape)
    monkeypatch.setattr(zarr_labels, "MOST_BYTES", LABELS.nbytes // 2)
    file = read_cells(folder)
    assert np.array_equal(file.labels, LABELS[::2, ::2]) and file.mpp == 1
    assert list(file.report.changed.values()) == [3]
    monkeypatch.setattr(zarr_labels, "MOST_BYTES", 1)
    with pytest.raises(PixCellError, match="No level of"):
        read_cells(folder)
    with pytest.raises(PixCellError, match="more than 0 MB"):
        read_cells(label / "0")


def test_lone_and_sharded_arrays(tmp_path: Path) -> None:
    zarr.save_array(tmp_path / "a.zarr", LABELS)
    assert np.array_equal(read_cells(tmp_path / "a.zarr").labels, LABELS)
    folder = ome_zarr(tmp_path / "b.zarr", shards=(1, 16, 16))
    assert np.array_equal(read_cells(folder).labels, LABELS)
    binary = (LABELS > 0).astype(np.uint8)
    zarr.create_array(tmp_path / "c.zarr", data=binary, zarr_format=2)
    assert read_cells(tmp_path / "c.zarr").report.read == 2


@pytest.mark.parametrize("codec", ["zstd", "gzip", "zlib", "lz4", "blosc", "streamed"])
def test_chunks_that_decompress_to_too_much_are_refused(tmp_path: Path, codec: str) -> None:
    import numcodecs

    codecs = {
        "zstd": numcodecs.Zstd(),
        "gzip": numcodecs.GZip(),
        "zlib": numcodecs.Zlib(),
        "lz4": numcodecs.LZ4(),
        "blosc": numcodecs.Blosc(),
        "streamed": numcodecs.Zstd(),
    }
    packer = codecs[codec]
    folder = tmp_path / "a.zarr"
    zarr.create_array(
        folder, data=LABELS, chunks=(8, 8), zarr_format=2, compressors=packer, overwrite=True
    )
    assert np.array_equal(read_cells(folder).labels, LABELS)
    data = packer.encode(bytes(2**24))
    if codec == "streamed":  # a frame of 200 blocks of repeated bytes, without its size
        data = b"\x28\xb5\x2f\xfd\0\x50" + b"\x02\0\x10\0" * 200 + b"\x03\0\x10\0"
    (folder / "0.0").write_bytes(data)
    with pytest.raises(PixCellError, match="more or larger chunks"):
        read_cells(folder)


def test_a_chunk_of_labels_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    import numcodecs

    folder = tmp_path / "a.zarr"
    packer = numcodecs.Blosc()
    zarr.create_array(folder, data=LABELS, chunks=(8, 8), zarr_format=2, compressors=packer)
    chunk = next(one for one in sorted(folder.glob("[0-9]*")) if one.stat().st_size > 40)
    chunk.write_bytes(chunk.read_bytes()[:-20])
    with pytest.raises(PixCellError, match=r"is cut short\. Copy the Zarr again"):
        read_cells(folder)


def changed(path: Path, **values: Any) -> None:
    told = json.loads(path.read_bytes())
    path.write_text(json.dumps(told | values))


def test_hostile_and_incomplete_zarr_folders_are_refused(tmp_path: Path) -> None:
    folder = ome_zarr(tmp_path / "a.zarr", 2, ("one", "two"))
    with pytest.raises(PixCellError, match=r"2 label images \(one, two\)"):
        read_cells(folder)
    label, array = folder / "labels/one", folder / "labels/one/0/.zarray"
    good = array.read_bytes()
    for values, words in (
        ({"filters": [{"id": "pickle"}]}, "encoded by “pickle”"),
        ({"chunks": [1, 10**6, 10**6]}, "too large"),
        ({"chunks": [1, 0, 8]}, "chunks"),
        ({"shape": [1, -1, 8]}, "not a label image"),
        ({"shape": [1, 10**6, 10**6]}, None),
        ({"dtype": "|O"}, "not a label image"),
    ):
        array.write_bytes(good)
        changed(array, **values)
        if words is None:  # the next level serves
            assert read_cells(label).mpp == 1
            continue
        with pytest.raises(PixCellError, match=words):
            read_cells(label)
    array.write_bytes(good)
    changed(label / ".zattrs", multiscales=[{"axes": [], "datasets": [{"path": "../../x"}]}])
    with pytest.raises(PixCellError, match="not a valid path of a level"):
        read_cells(label)
    changed(label / ".zattrs", multiscales=[])
    with pytest.raises(PixCellError, match="no label image"):
        read_cells(label)
    os.mkfifo(label / "0" / "pipe")
    with pytest.raises(PixCellError, match="is not a file"):
        read_cells(label / "0")
    (label / "0" / "pipe").unlink()
    (label / "0" / "large").write_bytes(bytes(2**21))
    with pytest.raises(PixCellError, match="more or larger chunks"):
        read_cells(label / "0")


def test_folders_without_labels_are_refused(tmp_path: Path) -> None:
    zarr.create_group(tmp_path / "a.zarr", attributes={"ome": {"multiscales": [{}]}})
    with pytest.raises(PixCellError, match="has no labels, only an image"):
        read_cells(tmp_path / "a.zarr")


def test_outlines_and_label_images_agree(tmp_path: Path) -> None:
    """A layout that leaves as outlines of one format comes back from another."""
    polygons = outlines_of(LABELS).polygons
    text = aperio(layer("", *(region(shapely.get_coordinates(one)[:-1]) for one in polygons)))
    (tmp_path / "a.xml").write_text(text)
    labels, *_ = rasterise(read_cells(tmp_path / "a.xml").outlines, LABELS.shape)
    assert np.array_equal(labels > 0, LABELS > 0) and labels.max() == 3
