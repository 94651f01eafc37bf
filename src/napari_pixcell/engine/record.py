"""The record stored beside a variant, from which it can be reproduced."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell import __version__
from napari_pixcell.cells.combining import take_out
from napari_pixcell.engine.repair import RepairOutcome
from napari_pixcell.engine.request_values import GenerateRequest, request_from_dict
from napari_pixcell.errors import PixCellError
from napari_pixcell.serialization import OMIT_DEFAULT, from_json, to_json
from napari_pixcell.untrusted import read_json

SCHEMA = 1
ROWS_HASHED = 512  # at once
NEUTRAL = "variant"  # name of an export for which the user chose none
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
COMPOSITE_TYPE = (
    "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
)

OTHER = "Choose an exported image, or a record that was saved as JSON."
DAMAGED = "This record is damaged. Use a record that was not edited by hand."
LARGEST_BATCH = 1000
TEXTS, MAPS = ("device", "sha256", "licence", "notice", "created"), ("weights", "versions")


def pixels_sha256(image: Any) -> str:
    """Return the hash of an image's shape and pixels, read by rows, as it may be on disk."""
    digest = hashlib.sha256(repr((image.shape, image.dtype.str)).encode())
    for top in range(0, image.shape[0], ROWS_HASHED):
        digest.update(np.ascontiguousarray(image[top : top + ROWS_HASHED]).tobytes())
    return digest.hexdigest()


def installed_versions() -> dict[str, str]:
    """Return the versions of napari-pixcell and of the libraries it computes with."""
    values = {"napari-pixcell": __version__, "python": platform.python_version()}
    return values | {name: version(name) for name in ("torch", "diffusers", "numpy")}


@dataclass(frozen=True)
class Record:
    """The request of one variant, with the weights, versions and device it ran with.

    Parameters
    ----------
    request : GenerateRequest
        With ``count`` 1. Running it again gives the same pixels on the same device.
    weights : dict of str to str
        sha256 of each weight file, by its part of the family.
    versions : dict of str to str
        Versions of napari-pixcell and of the libraries it computes with.
    device : str
        For example ``cpu`` or ``cuda: NVIDIA H200``.
    sha256 : str
        Hash of the pixels, see :func:`pixels_sha256`.
    licence : str
        Licence of the weights. Its terms extend to the image.
    notice : str
        Notice for users of the image (“DEMO …”).
    batch : (size, index)
        Number of images in its batch, and its index among them, on which its pixels depend by
        rounding. They do not depend on the others: variants of consecutive seeds, or of other
        requests. For a canvas, the number of windows per batch, and 0.
    created : str
        Time, ISO 8601, UTC.
    repair : RepairOutcome, optional
        How well the image follows its layout, if the request asks for a repair.
    """

    request: GenerateRequest
    weights: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    device: str = "cpu"
    sha256: str = ""
    licence: str = ""
    notice: str = ""
    batch: tuple[int, int] = (1, 0)
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    repair: RepairOutcome | None = field(default=None, metadata=OMIT_DEFAULT)

    @property
    def mask(self) -> NDArray[Any] | None:
        """The cells of the image, (height, width): its layout, less those that were dropped."""
        layout, repair = self.request.layout, self.repair
        if layout is None or repair is None or not repair.dropped:
            return layout.unpack() if layout is not None else None
        return take_out(layout.unpack(), repair.wrong)[0]

    def without_wrong(self) -> Record:
        """Return the record of the same image whose mask lacks the nuclei that it does not show."""
        if self.repair is None:
            return self
        return replace(self, repair=replace(self.repair, dropped=True))

    @property
    def source_type(self) -> str:
        """IPTC's digital source type, which tells edited images from entirely synthetic ones."""
        return SOURCE_TYPE if self.request.start is None else COMPOSITE_TYPE

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON value."""
        return {
            "napari-pixcell record": SCHEMA,
            "synthetic": True,
            "digital_source_type": self.source_type,
            **to_json(self),
            "request": self.request.to_dict(),
        }

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Record:
        """Read the result of :meth:`to_dict`.

        Raises
        ------
        PixCellError
            If it is no record, or of a format or request that this version does not know.
        """
        schema = value.get("napari-pixcell record") if isinstance(value, dict) else None
        if schema is None:
            raise PixCellError(
                "This file is not a napari-pixcell record. Choose an exported image, or a record "
                "that was saved as JSON."
            )
        if schema != SCHEMA:
            raise PixCellError(
                f"This record was written by another version of napari-pixcell (format {schema}, "
                f"this one reads {SCHEMA}). Update napari-pixcell to the version that wrote it."
            )
        request = value.get("request")
        if not isinstance(request, dict):
            raise PixCellError(DAMAGED)
        request = request_from_dict(request)
        if not isinstance(request, GenerateRequest):
            raise PixCellError("This record is not of a generated image. Choose another one.")
        if request.count != 1:
            raise PixCellError(DAMAGED)
        known = {f.name: value[f.name] for f in fields(cls) if f.name in value}
        batch = known.get("batch", [1, 0])
        texts = [known.get(name, "") for name in TEXTS]
        for name in MAPS:
            part = known.get(name, {})
            texts += part.values() if isinstance(part, dict) else [None]
        if not _is_batch(batch) or not all(isinstance(text, str) for text in texts):
            raise PixCellError(DAMAGED)
        if known.get("repair") is not None:
            known["repair"] = from_json(RepairOutcome, known["repair"], DAMAGED)
        return cls(**known | {"request": request, "batch": (batch[0], batch[1])})

    @classmethod
    def load(cls, path: Path) -> Record:
        """Read a record from a JSON file. Raises PixCellError like :meth:`from_dict`."""
        return cls.from_dict(read_json(Path(path), advice=OTHER))

    def check_weights(self, weights: dict[str, str]) -> None:
        """Raise PixCellError if the record needs other weights to reproduce its pixels.

        Those of the encoder count only where both have one: the embedding is in the record.
        """
        both = "encoder" in self.weights and "encoder" in weights
        needed, given = (
            {part: sha256 for part, sha256 in one.items() if both or part != "encoder"}
            for one in (self.weights, weights)
        )
        if needed and needed != given:
            changed = other_weights(self.weights, weights)
            made_by = self.versions.get("napari-pixcell", "another version")
            raise PixCellError(
                f"This record was made with other weights ({', '.join(changed) or 'other files'}), "
                f"by napari-pixcell {made_by}. Install those weights to get the same pixels."
            )


def other_weights(known: dict[str, str], weights: dict[str, str]) -> list[str]:
    """Return the parts of a family whose weights differ, sorted.

    Both hold the sha256 of weight files by part. Parts that ``known`` lacks do not count.
    """
    return sorted(part for part, sha256 in known.items() if weights.get(part) != sha256)


def _is_batch(value: Any) -> bool:
    """Whether a value is the size of a batch and an index in it."""
    numbers = isinstance(value, list | tuple) and len(value) == 2
    return (
        numbers
        and all(isinstance(n, int) and not isinstance(n, bool) for n in value)
        and 0 <= value[1] < value[0] <= LARGEST_BATCH
    )
