"""What of the selected model is installed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_pixcell.models.store import encoder_kind, missing
from napari_pixcell.studio.settings import Settings
from napari_pixcell.studio.tasks import Tasks

if TYPE_CHECKING:
    from napari_pixcell.studio.model_manager import ModelManagerState


@dataclass(eq=False)
class InstalledModels:
    """The selected family: what of it is missing here, and which encoder it has."""

    checked = Signal()  # another family is selected, or files came or went

    settings: Settings
    tasks: Tasks

    def __post_init__(self) -> None:
        self._encoders: dict[str, str | None] = {}
        self.missing: list[str] = []  # parts without which nothing is generated
        self.embeds = True  # False if the encoder is missing
        self.settings.events.family.connect(self.check, max_args=0)

    def check(self) -> None:
        self._encoders.clear()
        family = self.settings.model
        left = missing(family)
        self.missing = [part.hub_id or part.kind for part in left if part.kind != "encoder"]
        self.embeds = all(part.kind != "encoder" for part in left)
        self.checked.emit()

    def why_not(self) -> str:
        return f"{self.settings.model.title} is not installed" if self.missing else ""

    def why_no_encoder(self) -> str:
        """Return why tissue cannot be embedded, as a sentence; empty if it can."""
        if self.missing or self.embeds:
            return ""
        return (
            f"The encoder of {self.settings.model.title} is missing. Get it in the model manager, "
            "or add styles from a file of features."
        )

    @property
    def encoder(self) -> str | None:
        """Encoder of the selected family; None if it is not installed."""
        family = self.settings.model
        if family.name not in self._encoders:
            self._encoders[family.name] = encoder_kind(family)
        return self._encoders[family.name]

    @cached_property
    def manager(self) -> ModelManagerState:
        from napari_pixcell.studio.model_manager import (
            ModelManagerState,  # imports the hub's client
        )

        return ModelManagerState(self.tasks, self.check)
