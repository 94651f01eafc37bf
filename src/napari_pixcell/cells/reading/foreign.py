"""Formats of annotation tools: those that are read, and the others by their names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from napari_pixcell.cells.reading.annotation_xml import read_aperio, read_asap
from napari_pixcell.cells.reading.cvat import read_cvat
from napari_pixcell.cells.reading.gathering import CellsFile
from napari_pixcell.cells.reading.geoparquet import read_parquet
from napari_pixcell.cells.reading.matlab import read_mat
from napari_pixcell.cells.reading.plain import coding_of, head_of
from napari_pixcell.cells.reading.polygon_text import is_outline, is_yolo, read_outlines, read_yolo
from napari_pixcell.cells.reading.vertex_tables import is_vertex_table, read_vertex_csv
from napari_pixcell.cells.reading.xml_events import START, elements
from napari_pixcell.cells.reading.zarr_labels import read_zarr
from napari_pixcell.errors import PixCellError
from napari_pixcell.untrusted import reading
from napari_pixcell.zarr_files import is_zarr, zarr_folder

PARQUET, MATLAB_5 = b"PAR1", b"MATLAB 5.0"
TEXTS = (".txt", ".csv", ".tsv")
GEOJSON = "Export the cells as GeoJSON."
QUPATH = "Open it in QuPath and export GeoJSON."
# Formats without a reader, by their first bytes.
BYTES = (
    (b"MATLAB 7.3", "a MATLAB 7.3 file", "Save it in MATLAB with -v7."),
    (b"SQLite format 3\0", "an SQLite database", GEOJSON),
    (b"ARROW1", "a Feather table", "Save it as GeoParquet."),
    (b"\xac\xed\0\x05", "a QuPath data file", QUPATH),
    (b"\xd0\xcf\x11\xe0", "an Excel or other Office file", GEOJSON),
    (b"%PDF", "a PDF", GEOJSON),
)
HDF5 = b"\x89HDF\r\n\x1a\n"
# Their names, by the suffix of an HDF5 file.
HDF5_KINDS = {
    ".mat": ("a MATLAB 7.3 file", "Save it in MATLAB with -v7."),
    ".h5ad": ("an AnnData table", "Export the boundaries of its cells as GeoParquet."),
    ".ims": ("an Imaris file", "Export the cells as a label image."),
}
SUFFIXES = {
    ".xlsx": ("an Excel table", GEOJSON),
    ".xls": ("an Excel table", GEOJSON),
    ".gpkg": ("a GeoPackage", "Save it as GeoJSON."),
    ".shp": ("a shapefile", "Save it as GeoJSON."),
    ".annotations": ("an annotation file of HALO", "Export GeoJSON from HALO."),
    ".ndpa": ("an annotation file of NDP.view (NDPA)", QUPATH),
    ".qpdata": ("a QuPath data file", QUPATH),
}
# By the outermost element of XML.
ROOTS = {
    "annotation": ("an annotation of Pascal VOC", GEOJSON),
    "ome": ("OME-XML", "Export the ROIs as GeoJSON, or the label image as OME-TIFF."),
    "svg": ("an SVG drawing", GEOJSON),
    "kml": ("a KML file", "Save it as GeoJSON."),
    "html": ("a web page", "Download the file itself."),
    "trackmate": ("a TrackMate file", "Export the label image from TrackMate."),
    "graphicsdocument": ("an annotation file of Zeiss ZEN", QUPATH),
    "imagedata": ("an image analysis of Leica", GEOJSON),
    "objectlist": ("an object list", GEOJSON),
}
# Columns that tell a table of measurements.
TABLES = (
    ("centroid x", "a table of measurements of QuPath", "Export the objects as GeoJSON."),
    ("objectnumber", "a table of CellProfiler", "Export the label image of its objects."),
    ("x_global_px", "a table of CosMx", "Save its polygons as GeoJSON."),
    ("x_location", "a table of transcripts", "Choose cell_boundaries.csv.gz instead."),
    ("x_centroid", "a table of cells", "Choose cell_boundaries.csv.gz instead."),
)


def read_foreign(path: Path, image: str = "", split_touching: bool = False) -> CellsFile | None:
    """Read a file of an annotation tool; return None for the formats that others read.

    Raises
    ------
    PixCellError
        If the file is damaged, or of a format that is known but not read.
    """
    with reading(path.name, "Export it again."):
        if is_zarr(zarr_folder(path)):
            return read_zarr(path, split_touching)
        if not path.is_file():
            return None
        head, suffix = head_of(path), path.with_suffix("").suffix
        suffix = suffix if path.suffix.lower() == ".gz" and suffix else path.suffix
        suffix = suffix.lower()
        if head.startswith(PARQUET):
            with _complete(path.name, "Parquet"):
                return read_parquet(path)
        if head.startswith(MATLAB_5):
            with _complete(path.name, "MATLAB 5"):
                return read_mat(path, split_touching)
        coding = coding_of(head)
        text = head.decode(coding, errors="ignore").lstrip("\ufeff \t\r\n")
        if text.startswith(("{", "[")):  # JSON of any name
            return None
        _refuse_known(path.name, head, suffix)
        if text.startswith("<"):
            return _read_xml(path, image)
        is_text = suffix in TEXTS and "\0" not in text
        return _read_text(path, text, coding) if is_text else None


@contextmanager
def _complete(name: str, kind: str) -> Iterator[None]:
    """Turn what a decoder raises into the error for a damaged file of a kind."""
    try:
        yield
    except (PixCellError, MemoryError):
        raise
    except Exception as error:
        raise _refusal(name, f"not a complete {kind} file", "Export or copy it again.") from error


def _refuse_known(name: str, head: bytes, suffix: str) -> None:
    for start, kind, advice in BYTES:
        if head.startswith(start):
            raise _refusal(name, kind, advice)
    if head.startswith(HDF5):
        other = ("an HDF5 file", "Export the label image as TIFF.")
        raise _refusal(name, *HDF5_KINDS.get(suffix, other))
    if suffix in SUFFIXES:
        raise _refusal(name, *SUFFIXES[suffix])
    if suffix == ".mat":
        raise _refusal(name, "not a complete MATLAB file", "Save it in MATLAB with -v7.")
    if suffix == ".parquet":
        raise _refusal(name, "not a complete Parquet file", "Copy it again.")


def _refusal(name: str, kind: str, advice: str) -> PixCellError:
    if kind.startswith("not "):
        return PixCellError(f"“{name}” is {kind}. {advice}")
    return PixCellError(f"“{name}” is {kind}, which is not read. {advice}")


def _read_xml(path: Path, image: str) -> CellsFile:
    tags = [tag for event, tag, _ in islice(elements(path), 2_000) if event == START]
    root, inside = tags[0], set(tags[1:])
    if "ndpviewstate" in inside:
        raise _refusal(path.name, *SUFFIXES[".ndpa"])
    if root == "annotations" and "v" in inside:
        raise _refusal(path.name, *SUFFIXES[".annotations"])
    if root == "asap_annotations":
        return read_asap(path)
    if root == "annotations" and inside & {"image", "track", "meta", "version"}:
        return read_cvat(path, image)
    if root == "annotations" and "coordinate" in inside:
        return read_asap(path)
    if root == "annotations":
        return read_aperio(path)
    kind, advice = ROOTS.get(root, (f"XML of an unknown format ({root[:40]})", GEOJSON))
    raise _refusal(path.name, kind, advice)


def _read_text(path: Path, text: str, coding: str) -> CellsFile:
    lines = [line.strip() for line in text.splitlines()]
    first = next((line for line in lines if line), "")
    if is_outline(first):
        return read_outlines(path)
    if is_yolo(first):
        return read_yolo(path)
    for delimiter in ",;\t":
        columns = [word.strip("\"' ").lower() for word in first.split(delimiter)]
        if is_vertex_table(columns):
            return read_vertex_csv(path, coding, delimiter)
    for words, kind, advice in TABLES:
        if words in first.lower():
            raise _refusal(path.name, kind, advice)
    raise _refusal(
        path.name,
        "text of an unknown format",
        "Use GeoJSON, the boundaries of Xenium, or the polygons of YOLO or Cellpose.",
    )
