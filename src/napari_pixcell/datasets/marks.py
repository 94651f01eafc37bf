"""Marks of synthetic pictures: written into PNG, TIFF and JPEG files, and read back.

Each picture carries IPTC's digital source type as XMP, a description for people, and, if it is a
variant, its record.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from napari_pixcell.cells.label_description import describe_labels, described_classes
from napari_pixcell.engine.record import COMPOSITE_TYPE, NEUTRAL, SOURCE_TYPE, Record
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.engine.withheld_start import without_start
from napari_pixcell.slides.stored_picture import StoredPicture
from napari_pixcell.slides.write import write_levels

RECORD_KEY = "napari-pixcell"
XMP_KEY = "XML:com.adobe.xmp"
XMP_TAG = 700  # TIFF's own number
RECORD_TAG = 65_112  # TIFF tags from 65,000 on are free for anyone's use
DESCRIPTION_TAG = 270
WORD = "SYNTHETIC"
JPEG_QUALITY = 85
QUICK = 1  # compression level: the last per cent is not worth the wait
LONGEST_NAME = 80
MOST_PIXELS = 4096**2  # of an image or mask that is read back; pairs of datasets are single tiles
LOSSLESS = (1, 5, 8, 32_773, 32_946)  # TIFF's own numbers

XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">'
    "<Iptc4xmpExt:DigitalSourceType>SOURCE_TYPE</Iptc4xmpExt:DigitalSourceType>"
    '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)

Tag = tuple[int, int, int, bytes, bool]  # as tifffile has them


# -- words and names -----------------------------------------------------------------------


def in_words(record: Record) -> str:
    """Return a one-line description of a variant and its settings."""
    request = record.request
    layout = f"layout strength {request.layout_strength:g}" if request.layout else "no layout"
    placed = f" {record.repair.sentence()}." if record.repair is not None else ""
    return (
        f"{WORD} tissue, not real. Family {request.family}, seed {request.seed}, "
        f"{request.steps} steps, guidance {request.guidance:g}, {layout}"
        f"{_changed(request)}.{placed} {record.notice}. "
        f"Licence of the weights: {record.licence}. For research use only."
    )


def _changed(request: GenerateRequest) -> str:
    if request.start is None:
        return ""
    where = " in one area" if request.part is not None else ""
    how = " by inversion" if request.invert else ""
    return f", changed from another picture{how} with strength {request.strength:g}{where}"


def safe_name(name: str) -> str:
    """Return a name that is safe in a file name and reveals no folder."""
    last = re.split(r"[/\\]", name.strip())[-1]
    return re.sub(r"[^\w.-]+", "_", last)[:LONGEST_NAME].strip("._") or NEUTRAL


def for_export(record: Record, with_start: bool = False) -> Record:
    """Return a record that may leave the machine.

    Its source has a name without a folder, see :func:`safe_name`. Its start image, which may be
    tissue, is named by its hash, unless it is wanted (``with_start``). The segmenter of its repair
    has a name without a folder.
    """
    record = record if with_start else without_start(record)
    request = record.request
    source = replace(request.source, name=safe_name(request.source.name))
    repair = request.repair.without_path() if request.repair is not None else None
    return replace(record, request=replace(request, source=source, repair=repair))


# -- writing: ``mpp`` is the pixel size in µm -----------------------------------------------


def synthetic_png(image: NDArray[np.uint8], record: Record, mpp: float) -> bytes:
    """Encode a variant, uint8 (height, width, 3), as PNG with its marks.

    The record is stored under the key ``napari-pixcell``; ``parameters`` describes it for people.
    """
    # The record's arrays are compressed already, and Pillow refuses to inflate text beyond 1 MB.
    dots_per_inch = 25_400 / mpp
    return _png(
        image,
        in_words(record),
        record.source_type,
        record=json.dumps(record.to_dict()),
        compress_level=QUICK,
        dpi=(dots_per_inch, dots_per_inch),
    )


def synthetic_image_tiff(image: NDArray[np.uint8], record: Record, mpp: float) -> bytes:
    """Encode a variant, uint8 (height, width, 3), as TIFF with its marks.

    For software that does not read PNG. The record is stored in a tag of its own; the description
    describes it for people.
    """
    return _tiff(image, mpp, in_words(record), _tags(record), photometric="rgb")


def large_tiff(path: Path, picture: StoredPicture, record: Record, mpp: float) -> None:
    """Write a picture too large for memory losslessly as a pyramidal OME-TIFF with its marks.

    The record is stored in a tag of its own; the OME description describes it for people.
    """
    write_levels(path, picture.levels, mpp, description=in_words(record), tags=_tags(record))
    picture.check()


def synthetic_tiff(
    labels: NDArray[Any], mpp: float, classes: Mapping[int, str] | None = None
) -> bytes:
    """Encode a layout, (height, width), as TIFF with its marks: uint16, or uint32 if needed.

    ``classes`` are the class names of its labels. They are stored in the description, from which
    :func:`~napari_pixcell.cells.read_cells` reads them.
    """
    dtype = np.uint16 if labels.max(initial=0) <= np.iinfo(np.uint16).max else np.uint32
    words = f"Cells of a {WORD} image made by napari-pixcell"
    words = describe_labels(classes, words) if classes else words
    return _tiff(labels.astype(dtype), mpp, words, _tags(None))


def synthetic_sheet(sheet: NDArray[np.uint8]) -> bytes:
    """Encode a contact sheet of variants, uint8 (height, width, 3), as PNG with its marks."""
    return _png(sheet, f"A sheet of {WORD} tissue, not real. For research use only.", SOURCE_TYPE)


def synthetic_jpeg(image: NDArray[np.uint8]) -> bytes:
    """Encode a small picture, uint8 (height, width, 3), as JPEG with its marks."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(
        buffer,
        "jpeg",
        quality=JPEG_QUALITY,
        subsampling=0,  # keeps coloured lines one pixel wide
        comment=f"{WORD} tissue, not real. For research use only.",
        xmp=_xmp(SOURCE_TYPE).encode(),
    )
    return buffer.getvalue()


def _xmp(source_type: str) -> str:
    return XMP.replace("SOURCE_TYPE", source_type)


def _png(
    image: NDArray[np.uint8], words: str, source_type: str, record: str = "", **options: Any
) -> bytes:
    info = PngInfo()
    info.add_itxt("parameters", words)
    if record:
        info.add_text(RECORD_KEY, record)
    info.add_itxt(XMP_KEY, _xmp(source_type))
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "png", pnginfo=info, **options)
    return buffer.getvalue()


def _tags(record: Record | None) -> list[Tag]:
    """Return the TIFF tags of a variant with a record, or of any other synthetic picture."""
    xmp = _xmp(record.source_type if record is not None else SOURCE_TYPE).encode()
    tags = [(XMP_TAG, 1, len(xmp), xmp, True)]
    if record is not None:
        text = json.dumps(record.to_dict()).encode()
        tags.insert(0, (RECORD_TAG, 7, len(text), text, True))
    return tags


def _tiff(
    array: NDArray[Any], mpp: float, words: str, tags: list[Tag], photometric: str | None = None
) -> bytes:
    from tifffile import imwrite

    buffer = io.BytesIO()
    per_centimetre = 1e4 / mpp
    imwrite(
        buffer,
        array,
        compression="zlib",
        resolution=(per_centimetre, per_centimetre),
        resolutionunit="CENTIMETER",
        metadata=None,
        description=words,
        extratags=tags,
        photometric=photometric,
    )
    return buffer.getvalue()


# -- reading -------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Marked:
    """A picture and its marks."""

    pixels: NDArray[Any]  # (height, width, 3), or (height, width) of a mask
    synthetic: bool  # both the digital source type and the description mark it as synthetic
    record: dict[str, Any] | None  # JSON value; None without one, or if it is not JSON
    classes: dict[int, str] = field(default_factory=dict)  # of the labels of a mask


def read_marked(data: bytes, name: str) -> Marked:
    """Read an image or a mask from the bytes of its file, PNG or TIFF according to its name.

    Raises
    ------
    ValueError
        If they are not a picture, or a larger one than any pair.
    """
    try:
        return _read_png(data) if name.endswith(".png") else _read_tiff(data)
    except ValueError:
        raise
    except Exception as error:  # Pillow, tifffile and its codecs raise anything
        raise ValueError(str(error)) from error


def _read_png(data: bytes) -> Marked:
    with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
        _check_size(image.size)
        pixels = np.asarray(image)
        text: dict[str, str] = getattr(image, "text", {})
    synthetic = _is_synthetic(text.get(XMP_KEY, ""), text.get("parameters", ""))
    return Marked(pixels, synthetic, _json(text.get(RECORD_KEY)))


def _read_tiff(data: bytes) -> Marked:
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        _check_size(page.shape[:2])
        if len(page.shape) > 3 or page.nbytes > MOST_PIXELS * 4 or page.compression not in LOSSLESS:
            raise ValueError("it is no image or mask of a pair")
        xmp, words, record = (
            page.tags[number].value if number in page.tags else ""
            for number in (XMP_TAG, DESCRIPTION_TAG, RECORD_TAG)
        )
        pixels = page.asarray(maxworkers=1)
    xmp = xmp.decode(errors="replace") if isinstance(xmp, bytes) else str(xmp)
    record = record if isinstance(record, str | bytes) else None
    synthetic = _is_synthetic(xmp, str(words))
    return Marked(pixels, synthetic, _json(record or None), described_classes(words))


def _check_size(size: tuple[int, ...]) -> None:
    if len(size) != 2 or prod(size) > MOST_PIXELS:
        raise ValueError(f"an image of {' × '.join(map(str, size))} px is too large for a pair")


def png_text(path: Path) -> str | None:
    """Return the record that a PNG carries as text, without decoding its pixels; None without.

    Raises
    ------
    ValueError
        If it is not a PNG.
    """
    try:
        with Image.open(path, formats=("PNG",)) as image:
            text = image.info.get(RECORD_KEY)
            if text is None and prod(image.size) <= MOST_PIXELS:  # other programs move it
                text = getattr(image, "text", {}).get(RECORD_KEY)
    except OSError as error:
        if error.errno is not None:
            raise
        raise ValueError(str(error)) from error
    except Exception as error:
        raise ValueError(str(error)) from error
    return str(text) if isinstance(text, str) else None


def tiff_record(path: Path) -> str | bytes | None:
    """Return the record that a TIFF carries in its tag; None without.

    Raises
    ------
    ValueError
        If it is not a TIFF.
    """
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            tags = file.pages.first.tags
            value = tags[RECORD_TAG].value if RECORD_TAG in tags else None
    except OSError:
        raise
    except Exception as error:
        raise ValueError(str(error)) from error
    return value if isinstance(value, str | bytes) else None


def _is_synthetic(xmp: str, words: str) -> bool:
    return any(kind in xmp for kind in (SOURCE_TYPE, COMPOSITE_TYPE)) and WORD in words


def _json(text: str | bytes | None) -> dict[str, Any] | None:
    try:
        value = json.loads(text) if text is not None else None
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
