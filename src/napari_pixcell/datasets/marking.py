"""Pictures that say what they are: synthetic, by whom, and how to make them again."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from tifffile import imwrite

from napari_pixcell.engine.record import SOURCE_TYPE, Record
from napari_pixcell.engine.request import GenerateRequest
from napari_pixcell.slides.stored_picture import StoredPicture
from napari_pixcell.slides.write import write_levels

RECORD_KEY = "napari-pixcell"
XMP_KEY = "XML:com.adobe.xmp"
XMP_TAG = 700  # where TIFF keeps it
RECORD_TAG = 65_112  # of a TIFF; numbers from 65,000 on are free for anyone's use
JPEG_QUALITY = 85
QUICK = 1  # level of compression: an export should not wait for the last per cent

XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">'
    "<Iptc4xmpExt:DigitalSourceType>SOURCE_TYPE</Iptc4xmpExt:DigitalSourceType>"
    '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)


def _xmp(source_type: str = SOURCE_TYPE) -> str:
    return XMP.replace("SOURCE_TYPE", source_type)


def in_words(record: Record) -> str:
    """Say in one line what a picture is and how it was made."""
    request = record.request
    layout = f"layout strength {request.layout_strength:g}" if request.layout else "no layout"
    return (
        f"SYNTHETIC tissue, not real. Family {request.family}, seed {request.seed}, "
        f"{request.steps} steps, guidance {request.guidance:g}, {layout}{_changed(request)}. "
        f"{record.notice}. "
        f"Licence of the weights: {record.licence}. For research use only."
    )


def _changed(request: GenerateRequest) -> str:
    if request.start is None:
        return ""
    where = " in a part of it" if request.part is not None else ""
    how = " by inversion" if request.invert else ""
    return f", changed from another picture{how} with strength {request.strength:g}{where}"


def large_tiff(path: Path, picture: StoredPicture, record: Record, mpp: float) -> None:
    """Write a picture too large for memory as an OME-TIFF with its levels and marks.

    Parameters
    ----------
    path : Path
    picture : StoredPicture
        The variant, which nothing is lost of.
    record : Record
        In a tag of its own; the OME description says it for people, and XMP carries IPTC's
        digital source type.
    mpp : float
        Pixel size in µm.
    """
    text, xmp = json.dumps(record.to_dict()).encode(), _xmp(record.source_type).encode()
    tags = [(RECORD_TAG, 7, len(text), text, True), (XMP_TAG, 1, len(xmp), xmp, True)]
    write_levels(path, picture.levels, mpp, description=in_words(record), tags=tags)


def synthetic_png(image: NDArray[np.uint8], record: Record, mpp: float) -> bytes:
    """Encode a variant as PNG with its marks.

    Parameters
    ----------
    image : array, uint8, (height, width, 3)
        The variant.
    record : Record
        Stored under the key ``napari-pixcell``; ``parameters`` says it for people, and XMP
        carries IPTC's digital source type.
    mpp : float
        Pixel size in µm.
    """
    info = PngInfo()
    info.add_itxt("parameters", in_words(record))
    # Its arrays are compressed already, and Pillow refuses to inflate text beyond 1 MB.
    info.add_text(RECORD_KEY, json.dumps(record.to_dict()))
    info.add_itxt(XMP_KEY, _xmp(record.source_type))
    buffer = io.BytesIO()
    dots_per_inch = 25_400 / mpp
    picture = Image.fromarray(image)
    picture.save(
        buffer, "png", pnginfo=info, compress_level=QUICK, dpi=(dots_per_inch, dots_per_inch)
    )
    return buffer.getvalue()


def synthetic_image_tiff(image: NDArray[np.uint8], record: Record, mpp: float) -> bytes:
    """Encode a variant as TIFF with its marks, for readers that know no PNG.

    Parameters
    ----------
    image : array, uint8, (height, width, 3)
        The variant.
    record : Record
        In a tag of its own; the description says it for people, and XMP carries IPTC's digital
        source type.
    mpp : float
        Pixel size in µm.
    """
    text, xmp = json.dumps(record.to_dict()).encode(), _xmp(record.source_type).encode()
    tags = [(RECORD_TAG, 7, len(text), text, True), (XMP_TAG, 1, len(xmp), xmp, True)]
    return _tiff(image, mpp, in_words(record), tags, photometric="rgb")


def synthetic_sheet(sheet: NDArray[np.uint8]) -> bytes:
    """Encode a sheet of variants, uint8 (height, width, 3), as PNG that says what it shows."""
    info = PngInfo()
    info.add_itxt("parameters", "A sheet of SYNTHETIC tissue, not real. For research use only.")
    info.add_itxt(XMP_KEY, _xmp())
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "png", pnginfo=info)
    return buffer.getvalue()


def synthetic_jpeg(image: NDArray[np.uint8]) -> bytes:
    """Encode a small picture, uint8 (height, width, 3), as JPEG that says what it shows."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(
        buffer,
        "jpeg",
        quality=JPEG_QUALITY,
        subsampling=0,  # coloured lines of one pixel stay
        comment="SYNTHETIC tissue, not real. For research use only.",
        xmp=_xmp().encode(),
    )
    return buffer.getvalue()


def synthetic_tiff(labels: NDArray[Any], mpp: float) -> bytes:
    """Encode the layout of a variant as TIFF with its marks.

    Parameters
    ----------
    labels : array of integers, (height, width)
        Written as uint16, or as uint32 where a label needs it.
    mpp : float
        Pixel size in µm.
    """
    dtype = np.uint16 if labels.max(initial=0) <= np.iinfo(np.uint16).max else np.uint32
    xmp = _xmp().encode()
    words = "Cells of a SYNTHETIC image made by napari-pixcell"
    return _tiff(labels.astype(dtype), mpp, words, [(XMP_TAG, 1, len(xmp), xmp, True)])


def _tiff(
    array: NDArray[Any], mpp: float, words: str, tags: list[tuple[Any, ...]], **more: Any
) -> bytes:
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
        **more,
    )
    return buffer.getvalue()
