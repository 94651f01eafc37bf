"""The request to reproduce the variant of a record, as a value for the worker. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

from napari_pixcell.engine.events import Emit, Finished, Variant
from napari_pixcell.engine.record import Record, pixels_sha256
from napari_pixcell.engine.withheld_start import check_start_known
from napari_pixcell.slides.stored_picture import Picture


class Reproducer(Protocol):
    """The part of :class:`napari_pixcell.engine.engine.Engine` that is needed."""

    def load(self, name: str) -> Any:
        """Return the networks of a family, with the hashes of their ``weights``."""

    def reproduce(self, record: Record) -> Picture:
        """Reproduce the pixels of a record."""


@dataclass(frozen=True)
class ReproduceRequest:
    """Reproduce the variant of a record."""

    kind: ClassVar[str] = "reproduce"

    record: Record

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON value."""
        return {"kind": self.kind, "record": self.record.to_dict()}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> ReproduceRequest:
        """Read what :meth:`to_dict` returned."""
        return cls(Record.from_dict(value["record"]))


def reproduce(record: Record, engine: Reproducer) -> Variant:
    """Return the variant of a record, whose ``sha256`` is that of the pixels found now.

    Raises
    ------
    PixCellError
        If the record lacks its start image, or needs other weights.
    """
    check_start_known(record)
    record.check_weights(engine.load(record.request.family).weights)
    image = engine.reproduce(record)
    return Variant(0, image, replace(record, sha256=pixels_sha256(image)))


def run_reproduction(request: ReproduceRequest, engine: Reproducer, emit: Emit) -> None:
    """Run a request: emit its variant, then ``Finished``. Raises like :func:`reproduce`."""
    emit(reproduce(request.record, engine))
    emit(Finished())
