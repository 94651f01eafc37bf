"""What is stored beside a variant so that it can be made again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from napari_pixcell.engine.request import GenerateRequest, request_from_dict
from napari_pixcell.errors import PixCellError

SCHEMA = 1
ROWS_HASHED = 512  # at once
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
COMPOSITE_TYPE = (
    "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
)


def pixels_sha256(image: Any) -> str:
    """Hash the pixels of an image with their shape, row by row: it may be on disk."""
    digest = hashlib.sha256(repr((image.shape, image.dtype.str)).encode())
    for top in range(0, image.shape[0], ROWS_HASHED):
        digest.update(np.ascontiguousarray(image[top : top + ROWS_HASHED]).tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Record:
    """A request of one variant, and what it ran with.

    Parameters
    ----------
    request : GenerateRequest
        With ``count`` 1: running it again gives the same pixels on the same device.
    weights : dict of str to str
        sha256 of each weight file, by its name in the family.
    versions : dict of str to str
        Versions of napari-pixcell and of the libraries that compute.
    device : str
        Such as ``cpu`` or ``cuda: NVIDIA H200``.
    sha256 : str
        Of the pixels, see :func:`pixels_sha256`.
    licence : str
        Licence of the weights; its terms reach the image.
    notice : str
        What a user of the image must know (“DEMO …”).
    batch : (size, index)
        With how many variants, of consecutive seeds, this one was computed, and which it was;
        for a canvas, how many windows were computed together.
    created : str
        Time, ISO 8601, UTC.
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

    @property
    def source_type(self) -> str:
        """IPTC's digital source type: a picture that another one was changed into says so."""
        return SOURCE_TYPE if self.request.start is None else COMPOSITE_TYPE

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON value."""
        return {
            "napari-pixcell record": SCHEMA,
            "synthetic": True,
            "digital_source_type": self.source_type,
            "request": self.request.to_dict(),
            "weights": self.weights,
            "versions": self.versions,
            "device": self.device,
            "sha256": self.sha256,
            "licence": self.licence,
            "notice": self.notice,
            "batch": list(self.batch),
            "created": self.created,
        }

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Record:
        """Read what :meth:`to_dict` gave."""
        schema = value.get("napari-pixcell record") if isinstance(value, dict) else None
        if schema is None:
            raise PixCellError(
                "This file is not a napari-pixcell record; choose an exported image, or a record "
                "that was saved as JSON."
            )
        if schema != SCHEMA:
            raise PixCellError(
                f"This record was written by another version of napari-pixcell (format {schema}, "
                f"this one reads {SCHEMA}); update napari-pixcell to the version that wrote it."
            )
        request = request_from_dict(value.get("request") or {})
        if not isinstance(request, GenerateRequest):
            raise PixCellError("This record is not of a generated image; choose another one.")
        names = ("weights", "versions", "device", "sha256", "licence", "notice", "created")
        fields = {name: value[name] for name in names if name in value}
        size, index = value.get("batch", (1, 0))
        return cls(request, batch=(int(size), int(index)), **fields)

    @classmethod
    def load(cls, path: Path) -> Record:
        """Read a record from a JSON file."""
        try:
            value = json.loads(Path(path).read_text("utf-8"))
        except FileNotFoundError:
            raise PixCellError(f"There is no record {path}; check its path.") from None
        except (OSError, ValueError):
            raise PixCellError(
                f"{Path(path).name} cannot be read as a record; choose an exported image, or a "
                "record that was saved as JSON."
            ) from None
        return cls.from_dict(value)

    def check_weights(self, weights: dict[str, str]) -> None:
        """Refuse to make the same pixels with other weights."""
        if self.weights and self.weights != weights:
            changed = sorted(k for k in self.weights if weights.get(k) != self.weights[k])
            made_by = self.versions.get("napari-pixcell", "another version")
            raise PixCellError(
                f"This record was made with other weights ({', '.join(changed) or 'other files'}), "
                f"by napari-pixcell {made_by}; install those weights to get the same pixels."
            )
