"""The built-in families and Cellpose, as data. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from napari_pixcell.cells.class_map import Palette

Kind = Literal[
    "transformer",
    "controlnet",
    "vae",
    "encoder",
    "scheduler",
    "preview",
    "lora",
    "flow",
    "decoder",
    "segmenter",
    "samples",
]

NON_COMMERCIAL = "CC BY-NC-ND 4.0 (non-commercial, no derivatives); read the model card"
STAINS = {"her2": "HER2", "er": "ER", "pr": "PR", "ki67": "Ki67", "her2match": "HER2Match"}
STAIN_GUIDANCE = 1.2  # as published
MIST_MPP = 0.4661  # native pixel size in µm of MIST, on which four of the stains were trained
COLOUR_MATCHES = "off", "gentle", "full"  # see engine/colour_match.py
DEMO_FOLDER = Path(__file__).parent.parent / "demo"


@dataclass(frozen=True)
class Part:
    """One network or configuration of a family, and its published files.

    Parameters
    ----------
    kind : str
        Its role: ``transformer``, ``controlnet``, ``vae``, ``encoder``, ``scheduler``,
        ``preview``, ``lora`` or ``flow``; ``decoder`` for tensors that replace some of the
        ``vae``'s; ``segmenter`` for a segmentation network; ``samples`` for a data set.
    network : str
        Name of its class, see ``models.build``; empty for a plain config.
    hub_id : str
        Repository on the hub, ``owner/name``; empty for bundled files and the user's own.
    files : tuple of str
        Paths in the repository: the weights first, then the config.
    bytes : int
        Size of all files.
    licence : str
        Licence of the weights, as published when this was written.
    gated : bool
        Whether the user must request access and log in.
    revision : str
        Branch, tag or commit on the hub.
    folder : Path, optional
        Folder of the files if they are bundled, or named by the user's own family.
    dataset : bool
        Whether the repository is a data set on the hub, not a model.
    """

    kind: Kind
    network: str
    hub_id: str
    files: tuple[str, ...]
    bytes: int
    licence: str
    gated: bool = False
    revision: str = "main"
    folder: Path | None = None
    dataset: bool = False

    @property
    def repo_type(self) -> Literal["dataset", "model"]:
        """Kind of the repository, in the hub's words."""
        return "dataset" if self.dataset else "model"

    @property
    def weights(self) -> str:
        """Path of the weight file in the repository."""
        return self.files[0]

    @property
    def config(self) -> str | None:
        """Path of the configuration in the repository, if there is one."""
        return next((name for name in self.files if name.endswith(".json")), None)


@dataclass(frozen=True)
class WeightSet:
    """Weights that are downloaded, exported and removed together.

    Parameters
    ----------
    name, title : str
        As typed, and as displayed.
    parts : tuple of Part
        At most one of each kind.
    notice : str
        Warning that accompanies its results.
    """

    name: str
    title: str
    parts: tuple[Part, ...]
    notice: str

    def part(self, kind: Kind) -> Part | None:
        """Return the part of a kind, if there is one."""
        return next((part for part in self.parts if part.kind == kind), None)

    @property
    def bundled(self) -> bool:
        """Whether it is part of the package."""
        return all(part.folder == DEMO_FOLDER for part in self.parts)

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(part.bytes for part in self.parts)

    @property
    def licence(self) -> str:
        """Licences of the weights, each once. Their terms apply to results as well."""
        licences: dict[str, list[str]] = {}
        for part in self.parts:
            if part.licence:
                own = "demo" if part.folder == DEMO_FOLDER else "your own files"
                source = part.hub_id.split("/")[-1] or own
                licences.setdefault(part.licence, []).append(source)
        if len(licences) == 1:
            return next(iter(licences))
        named = ((text, sorted(set(names))) for text, names in licences.items())
        return "; ".join(f"{', '.join(names)}: {text}" for text, names in named)


@dataclass(frozen=True)
class Family(WeightSet):
    """A set of checkpoints that work together.

    Parameters
    ----------
    tile : int
        Side of the square generated at once, in px.
    mpp : float
        Pixel size in µm.
    grid : int
        Embeddings along a side of the tile: 1, or 4 for 16 in total, row by row.
    steps, guidance : int, float
        Defaults without a layout.
    layout_guidance : float
        Default guidance with a layout.
    cell_gap : bool
        Whether touching cells are kept apart in the ControlNet's image, as it was trained. The
        published ControlNet was trained without gaps.
    colour_match : str
        Default colour match, one of :data:`COLOUR_MATCHES`.
    palette : tuple of (name, colour)
        Classes of cells that the ControlNet draws apart, see
        :data:`napari_pixcell.cells.class_map.Palette`. Empty if it takes white cells on black.
    """

    tile: int
    mpp: float
    grid: int
    steps: int
    guidance: float
    layout_guidance: float
    cell_gap: bool = False
    colour_match: str = "off"
    palette: Palette = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes of cells that the family draws apart."""
        return tuple(name for name, _ in self.palette if name)

    @property
    def takes_layout(self) -> bool:
        """Whether the family supports layouts."""
        return self.part("controlnet") is not None


def _network_files(kind: Kind) -> tuple[str, ...]:
    return (f"{kind}/diffusion_pytorch_model.safetensors", f"{kind}/config.json")


def _bundled(kind: Kind, network: str, *files: str) -> Part:
    files = files or _network_files(kind)
    size = sum((DEMO_FOLDER / file).stat().st_size for file in files)
    return Part(kind, network, "", files, size, _DEMO_LICENCE, folder=DEMO_FOLDER)


_DEMO_LICENCE = (
    "CC BY 4.0; trained on tissue of BreCaHAD, TNBC (Naylor et al.), OCDC and the oral images of "
    "Rahman et al., all CC BY 4.0, and on slides of OpenSlide's test data, free to use"
)

DEMO = Family(
    name="demo",
    title="Demo (bundled)",
    parts=(
        _bundled("transformer", "pixcell-transformer"),
        _bundled("controlnet", "pixcell-controlnet"),
        _bundled("vae", "demo-autoencoder"),
        _bundled("encoder", "tile-encoder"),
        _bundled("scheduler", "", "scheduler/scheduler_config.json"),
        _bundled("preview", "", "preview.json"),
    ),
    tile=256,
    mpp=0.5,
    grid=1,
    steps=20,
    guidance=2.0,
    layout_guidance=1.25,
    cell_gap=True,
    colour_match="full",
    notice="DEMO model: illustrative quality only. Not for research or diagnosis",
)
DEMO_STAIN = replace(
    DEMO,
    name="demo-ki67",
    title="Demo Ki67 (not biology)",
    parts=(
        *(part for part in DEMO.parts if part.kind != "preview"),
        _bundled("lora", "pixcell-transformer", "stain/lora.safetensors"),
        _bundled("flow", "stain-flow", "stain/flow.safetensors"),
        _bundled("decoder", "demo-autoencoder", "stain/decoder.safetensors"),
        _bundled("preview", "", "stain/preview.json"),
    ),
    guidance=STAIN_GUIDANCE,
    layout_guidance=STAIN_GUIDANCE,
    colour_match="off",
    notice="DEMO model: an invented stain, not biology. Its brown nuclei say nothing about the "
    "tissue. Not for research or diagnosis",
)

CLASSES_FOLDER = "classes"  # of the demo's ControlNet for class maps, with its card


def demo_with_classes() -> Family | None:
    """Return the demo family whose ControlNet follows class maps; None if it is not bundled.

    ``training/export_classes.py`` bundles it.
    """
    card = DEMO_FOLDER / CLASSES_FOLDER / "card.json"
    if not card.is_file():
        return None
    known = json.loads(card.read_text("utf-8"))
    files = _network_files("controlnet")
    named = tuple(f"{CLASSES_FOLDER}/{Path(file).name}" for file in files)
    control = _bundled("controlnet", "pixcell-controlnet", *named)
    return replace(
        DEMO,
        name="demo-classes",
        title="Demo with cell classes",
        parts=(*(part for part in DEMO.parts if part.kind != "controlnet"), control),
        palette=tuple(known["classes"].items()),
        notice="DEMO model: illustrative quality only. Its classes are looks of nuclei, not cell "
        "types. Not for research or diagnosis",
    )


_UNI = Part(
    "encoder",
    "uni2-h",
    "MahmoodLab/UNI2-h",
    ("pytorch_model.bin",),
    2_725_700_000,
    "CC BY-NC-ND 4.0 (non-commercial; its terms apply to derived results)",
    gated=True,
)
# The SD3 VAE, from a repository that is not gated.
_VAE = Part(
    "vae",
    "autoencoder-kl",
    "StonyBrook-CVLab/PixCell-256-Cell-ControlNet",
    _network_files("vae"),
    335_300_000,
    "Stability AI Community Licence (SD3 VAE)",
)
_NOTICE = "Synthetic: generated by PixCell. For research use only, not for diagnosis"


def _pixcell(hub_id: str, kind: Kind, network: str, size: int) -> Part:
    return Part(kind, network, hub_id, _network_files(kind), size, NON_COMMERCIAL)


def _scheduler(hub_id: str) -> Part:
    return Part("scheduler", "", hub_id, ("scheduler/scheduler_config.json",), 1_000, "")


def _published(name: str, title: str, hub_id: str, **values: object) -> Family:
    transformer = _pixcell(hub_id, "transformer", "pixcell-transformer", 2_432_400_000)
    family = Family(
        name=name,
        title=title,
        parts=(transformer, _scheduler(hub_id), _VAE, _UNI),
        tile=256,
        mpp=0.5,
        grid=1,
        steps=20,
        guidance=2.0,
        layout_guidance=2.5,
        notice=_NOTICE,
    )
    return replace(family, **values)  # type: ignore[arg-type]


PIXCELL_256 = _published("pixcell-256", "PixCell-256", "StonyBrook-CVLab/PixCell-256")
PIXCELL_1024 = _published(
    "pixcell-1024", "PixCell-1024", "StonyBrook-CVLab/PixCell-1024", tile=1024, grid=4, guidance=1.2
)
_CELLS = _published(
    "pixcell-256-cells", "PixCell-256 with cells", "StonyBrook-CVLab/PixCell-256-Cell-ControlNet"
)
PIXCELL_256_CELLS = replace(
    _CELLS,
    parts=(*_CELLS.parts, _pixcell(_VAE.hub_id, "controlnet", "pixcell-controlnet", 2_491_100_000)),
)


def _stain(name: str, title: str) -> Family:
    hub_id = "StonyBrook-CVLab/pixcell-virtual-staining"
    mist = name != "her2match"
    stem = f"mist_{name}" if mist else name
    licence = "Apache-2.0, on a non-commercial base"
    lora = f"ckpts/lora/{stem}_lora.pth"
    flow = f"ckpts/mlp/{stem}_mlp.pth"
    return replace(
        PIXCELL_1024,
        name=f"stain-{name}",
        title=f"Virtual {title}",
        parts=(
            *PIXCELL_1024.parts,
            Part("lora", "pixcell-transformer", hub_id, (lora,), 2_436_700_000, licence),
            Part("flow", "stain-flow", hub_id, (flow,), 96_700_000, licence),
        ),
        mpp=MIST_MPP if mist else PIXCELL_1024.mpp,
        guidance=STAIN_GUIDANCE,
        layout_guidance=STAIN_GUIDANCE,
        notice="Synthetic: a virtual stain generated by PixCell, not a real one. Its cells may not "
        "match those of the H&E. For research use only, not for diagnosis",
    )


BUILT_IN: Mapping[str, Family] = {
    family.name: family
    for family in (
        DEMO,
        *filter(None, [demo_with_classes()]),
        DEMO_STAIN,
        PIXCELL_256_CELLS,
        PIXCELL_256,
        PIXCELL_1024,
        *(_stain(name, title) for name, title in STAINS.items()),
    )
}

CELLPOSE = WeightSet(
    name="cellpose",
    title="Cellpose",
    parts=(
        Part(
            "segmenter",
            "cellpose-sam",
            "mouseland/cellpose-sam",
            ("cpsam_v2",),
            1_233_600_000,
            "Cellpose's code is BSD-3-Clause; its weights were trained on data for "
            "non-commercial use",
        ),
    ),
    notice="Segments the cells of a region for its layout",
)
