"""The events that the engine emits while it works on a request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.engine.record import Record
from napari_pixcell.serialization import to_json
from napari_pixcell.slides.stored_picture import Picture, StoredPicture
from napari_pixcell.words import counted

PREVIEW_SIDE = 512  # px


@dataclass(frozen=True)
class Progress:
    """Work done so far: ``done`` of ``total`` steps, and the current activity in words."""

    done: int
    total: int
    message: str


@dataclass(frozen=True)
class Notice:
    """A deviation from the request, such as smaller batches."""

    message: str


@dataclass(frozen=True)
class Preview:
    """Current appearance of variant ``index``: uint8, (height, width, 3), one pixel per latent.

    Latents of a canvas are skipped so that no side exceeds ``PREVIEW_SIDE``.
    """

    index: int
    image: NDArray[np.uint8]


@dataclass(frozen=True)
class Variant:
    """A finished variant: uint8, (height, width, 3), and the record that reproduces it.

    Images too large for memory are a :class:`~napari_pixcell.slides.stored_picture.StoredPicture`.
    """

    index: int
    image: Picture
    record: Record


@dataclass(frozen=True)
class VariantFailure:
    """Variant ``index`` of a batch cannot be generated, with a sentence why; others go on."""

    index: int
    message: str


@dataclass(frozen=True)
class Embedding:
    """A finished embedding: float32, (tokens, dimension), and its encoder.

    ``encoder`` is the :func:`napari_pixcell.models.store.encoder_identity` of the weights at
    the time they were loaded.
    """

    values: NDArray[np.float32]
    encoder: str = ""


@dataclass(frozen=True)
class SegmentedLayout:
    """Segmented cells: int32, (height, width), 0 is background, and how they were found."""

    labels: NDArray[np.int32]
    source: LayoutSource


@dataclass(frozen=True)
class Trained:
    """A trained stain, now a family of the user's own.

    Parameters
    ----------
    name : str
        Name of its family.
    folder : str
        Folder of its files.
    held_out : float
        Held-out error: the fraction of the distance from H&E to stain embeddings that remains
        after the flow.
    shift : float
        The same error for one common shift of all embeddings, the baseline of a flow.
    pairs, tiles, held_tiles : int
        Number of pairs, of training tiles and of held-out tiles.
    """

    name: str
    folder: str
    held_out: float
    shift: float
    pairs: int
    tiles: int
    held_tiles: int

    def sentence(self) -> str:
        """Return how well the training went, in words."""
        text = (
            f"“{self.name}” was trained on {counted(self.tiles, 'tile')} of "
            f"{counted(self.pairs, 'pair')}. On {counted(self.held_tiles, 'held-out tile')}, "
            f"{self.held_out:.0%} of the distance from H&E to the stain remains"
        )
        if self.held_out < self.shift:
            return f"{text} ({self.shift:.0%} with one shift for all)."
        return (
            f"{text}, no less than with one shift for all ({self.shift:.0%}). Do not trust it. "
            "More pairs, or better aligned ones, may help."
        )


@dataclass(frozen=True)
class TrainedControl:
    """A trained ControlNet, now a family of the user's own.

    Parameters
    ----------
    name : str
        Name of its family.
    folder : str
        Folder of its files.
    held_out, other : float
        Denoising error of held-out tiles with their own cells, and with those of another tile.
    pairs, tiles, held_tiles : int
        Number of images, of training tiles and of held-out tiles.
    agreement : tuple of str
        For all cells and for each class, how generated tissue follows it, in words.
    follows : bool
        Whether it follows all of them clearly more than shuffled ones.
    """

    name: str
    folder: str
    held_out: float
    other: float
    pairs: int
    tiles: int
    held_tiles: int
    agreement: tuple[str, ...]
    follows: bool

    def sentence(self) -> str:
        """Return how well the training went, in words."""
        text = (
            f"“{self.name}” was trained on {counted(self.tiles, 'tile')} of "
            f"{counted(self.pairs, 'image')}. On held-out tiles: {'; '.join(self.agreement)}."
        )
        if self.follows:
            return text
        return (
            f"{text} That is not clearly more than with shuffled cells or classes. Do not trust "
            "it. More steps or more pairs may help."
        )


@dataclass(frozen=True)
class Evaluated:
    """The answer whether the pairs of a dataset help to train a segmenter.

    Parameters
    ----------
    answer : str
        ``help``, ``harm``, ``do not help`` or ``cannot be told``.
    sentence : str
        The answer for the user.
    cost : str
        The time that the pairs take in training, in a sentence.
    page : str
        Path of the HTML page about it.
    """

    answer: str
    sentence: str
    cost: str
    page: str


@dataclass(frozen=True)
class Verified:
    """The outcome of checking a family: a JSON value.

    See :class:`napari_pixcell.verification.report.VerificationReport`.
    """

    report: dict[str, Any]


@dataclass(frozen=True)
class Finished:
    """The last event of a job that did not fail; ``cancelled`` if the user stopped it."""

    cancelled: bool = False


@dataclass(frozen=True)
class Failure:
    """The last event of a failed job: a sentence for the user, and details for the log."""

    message: str
    details: str = ""


Event = (
    Progress
    | Notice
    | Preview
    | Variant
    | VariantFailure
    | Embedding
    | SegmentedLayout
    | Trained
    | TrainedControl
    | Evaluated
    | Verified
    | Finished
    | Failure
)

Emit = Callable[[Event], None]


def is_last(event: Event) -> bool:
    """Whether ``event`` ends its job."""
    return isinstance(event, (Finished, Failure))


def summary(event: Event) -> dict[str, Any]:
    """Return the JSON part of an event. Images travel separately."""
    match event:
        case Progress(done, total, message):
            return {"event": "progress", "done": done, "total": total, "message": message}
        case Notice(message):
            return {"event": "notice", "message": message}
        case Preview(index, _):
            return {"event": "preview", "index": index}
        case Variant(index, image, record):
            there = {"folder": str(image.folder)} if isinstance(image, StoredPicture) else {}
            return {"event": "variant", "index": index, "record": record.to_dict()} | there
        case VariantFailure(index, message):
            return {"event": "variant failure", "index": index, "message": message}
        case Embedding(values, encoder):
            return {"event": "embedding", "values": values.tolist(), "encoder": encoder}
        case SegmentedLayout(_, source):
            return {"event": "layout", "source": source.to_dict()}
        case Trained():
            return {"event": "trained", "stain": to_json(event)}
        case TrainedControl():
            return {"event": "trained control", "control": to_json(event)}
        case Evaluated():
            return {"event": "evaluated", "evaluation": to_json(event)}
        case Verified(report):
            return {"event": "verified", "report": report}
        case Finished(cancelled):
            return {"event": "finished", "cancelled": cancelled}
        case Failure(message, details):
            return {"event": "failure", "message": message, "details": details}


def event_of(message: dict[str, Any]) -> Event:
    """Return the event of a :func:`summary` that has no image and no array.

    Raises
    ------
    ValueError
        If it is no such event.
    KeyError, TypeError
        If a part of it is missing or superfluous.
    """
    match message["event"]:
        case "progress":
            return Progress(message["done"], message["total"], message["message"])
        case "notice":
            return Notice(message["message"])
        case "variant failure":
            return VariantFailure(message["index"], message["message"])
        case "trained":
            return Trained(**message["stain"])
        case "trained control":
            values = message["control"]
            return TrainedControl(**values | {"agreement": tuple(values["agreement"])})
        case "evaluated":
            return Evaluated(**message["evaluation"])
        case "verified":
            return Verified(message["report"])
        case "finished":
            return Finished(message["cancelled"])
        case "failure":
            return Failure(message["message"], message["details"])
    raise ValueError(f"unknown event {message['event']}")
