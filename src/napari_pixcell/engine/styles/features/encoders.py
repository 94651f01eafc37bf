"""Which encoder embedded a file of features, by the names that TRIDENT gives encoders."""

from __future__ import annotations

from dataclasses import dataclass

from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.store import encoder_kind

UNI2_H = "uni2-h"  # as networks are named in the catalogue
UNI2_H_NAME, UNI2_H_SIZE = "uni_v2", 1536
TITLES = {
    UNI2_H_NAME: "UNI2-h",
    "uni2_h": "UNI2-h",
    "uni_v1": "UNI",
    "conch_v1": "CONCH",
    "conch_v15": "CONCHv1.5",
    "ctranspath": "CTransPath",
    "digepath": "Digepath",
    "gigapath": "Prov-GigaPath",
    "gpfm": "GPFM",
    "h0_mini": "H0-mini",
    "hibou_l": "Hibou-L",
    "hoptimus0": "H-optimus-0",
    "hoptimus1": "H-optimus-1",
    "midnight12k": "Midnight-12k",
    "musk": "MUSK",
    "openmidnight": "OpenMidnight",
    "phikon": "Phikon",
    "phikon_v2": "Phikon-v2",
    "resnet50": "ResNet50",
    "virchow": "Virchow",
    "virchow2": "Virchow2",
}
# Of the patch. Nominal magnifications differ from pixel sizes by less, and 224 px at 20× by more.
TOLERANCE = 0.1


@dataclass(frozen=True)
class FeatureOrigin:
    """What a file says about the embeddings in it.

    Parameters
    ----------
    encoder : str
        Name of the encoder as TRIDENT writes it, or an empty string.
    kind : str
        :func:`~napari_pixcell.models.store.encoder_kind` of an encoder of napari-pixcell, or empty.
    dimension : int
        Of an embedding.
    patch : float, optional
        Side of a patch in px, at ``magnification``.
    magnification : float, optional
        20 stands for 0.5 µm/px.
    """

    encoder: str
    kind: str
    dimension: int
    patch: float | None
    magnification: float | None

    @property
    def title(self) -> str:
        """The encoder's own name; empty if the file does not name it."""
        return TITLES.get(_plain(self.encoder), self.encoder)

    @property
    def micrometres(self) -> float | None:
        """Side of a patch in µm, if the file states it."""
        if self.patch is None or self.magnification is None:
            return None
        return self.patch * 10 / self.magnification

    def why_not(self, name: str, family: Family) -> str:
        """Return why a family cannot use the file of this name, or an empty string if it can."""
        return self._other_encoder(name, family) or self._other_patch(name, family)

    def _other_encoder(self, name: str, family: Family) -> str:
        part = family.part("encoder")
        if part is None or part.network != UNI2_H:
            if self.kind and self.kind == encoder_kind(family):
                return ""
            return (
                f"“{name}” holds embeddings of {self.title or 'another encoder'}, and "
                f"{family.title} has an encoder of its own. Choose a family of PixCell, or write "
                "the file with “napari-pixcell embed --grid”."
            )
        if self.encoder and self.title != TITLES[UNI2_H_NAME]:
            return (
                f"“{name}” holds embeddings of {self.title}, and {family.title} needs those of "
                f"UNI2-h. Choose a file of UNI2-h, which TRIDENT calls {UNI2_H_NAME}."
            )
        if self.dimension != UNI2_H_SIZE:
            return (
                f"“{name}” holds embeddings of {self.dimension:,} numbers, and those of UNI2-h "
                f"have {UNI2_H_SIZE:,}. Choose a file of UNI2-h, which TRIDENT calls "
                f"{UNI2_H_NAME}."
            )
        return ""

    def _other_patch(self, name: str, family: Family) -> str:
        side, px = self.micrometres, family.tile // family.grid
        wanted = px * family.mpp
        if side is None or abs(side / wanted - 1) <= TOLERANCE:
            return ""
        return (
            f"“{name}” holds patches of {self.patch:g} px at {self.magnification:g}× "
            f"({side:.0f} µm), and {family.title} needs {wanted:.0f} µm. Choose a file with "
            f"patches of {px} px at {10 / family.mpp:.3g}×."
        )


def encoder_name(family: Family) -> str:
    """Return the name of a family's encoder in files of features.

    Only that of UNI2-h identifies weights; others name a class of networks.
    """
    part = family.part("encoder")
    network = part.network if part is not None else ""
    return UNI2_H_NAME if network == UNI2_H else network


def encoder_of_features(family: Family) -> str:
    """Return what identifies the encoder of features that a family can use, in saved styles."""
    name = encoder_name(family)
    return name if name == UNI2_H_NAME else encoder_kind(family) or ""


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")
