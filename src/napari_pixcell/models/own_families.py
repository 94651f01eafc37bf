"""The user's own families: small TOML files in the configuration folder, without code.

``families/lung.toml``::

    base = "pixcell-256-cells"      # the family to start from
    title = "Lung, our scanner"     # optional, as are tile settings such as guidance
    guidance = 2.0

    [controlnet]                    # any of transformer, controlnet, vae, lora, flow
    folder = "/data/lung-controlnet"  # holds config.json and the weights
    licence = "internal use"

    [lora]
    file = "/data/lung_lora.safetensors"

The file's name is the family's.
"""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_pixcell.errors import PixCellError
from napari_pixcell.folders import config_folder

if TYPE_CHECKING:
    from napari_pixcell.models.catalogue import Family, Part

log = logging.getLogger(__name__)

SETTINGS: dict[str, type | tuple[type, ...]] = {
    "title": str,
    "notice": str,
    "steps": int,
    "guidance": (int, float),
    "layout_guidance": (int, float),
}
NETWORKS = {
    "transformer": "pixcell-transformer",
    "controlnet": "pixcell-controlnet",
    "vae": "autoencoder-kl",
    "lora": "pixcell-transformer",
    "flow": "stain-flow",
}
WEIGHTS = "diffusion_pytorch_model.safetensors"


def families_folder() -> Path:
    """Give the folder that the TOML files lie in."""
    return config_folder() / "families"


def read_own_families(built_in: Mapping[str, Family]) -> dict[str, Family]:
    """Read every TOML file; one that cannot be used is left out, and the log says why."""
    found = {}
    for path in sorted(families_folder().glob("*.toml")):
        try:
            found[path.stem] = read_own_family(path, built_in)
        except PixCellError as error:
            log.warning("%s", error)
    return found


def read_own_family(path: Path, built_in: Mapping[str, Family]) -> Family:
    """Read one of the user's families.

    Raises
    ------
    PixCellError
        If the file is no TOML, names an unknown base, or anything that a family does not have.
    """
    name = path.stem
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PixCellError(f"{path.name} is no TOML file ({error}); correct it.") from error
    if name in built_in:
        raise PixCellError(f"{path.name} has the name of a built-in family; rename the file.")
    base = built_in.get(str(values.pop("base", "")))
    if base is None:
        raise PixCellError(
            f'{path.name} needs a line base = "…" with one of: {", ".join(built_in)}.'
        )
    unknown = sorted(set(values) - set(SETTINGS) - set(NETWORKS))
    if unknown:
        allowed = ", ".join([*SETTINGS, *NETWORKS])
        raise PixCellError(f"{path.name}: “{unknown[0]}” is unknown; allowed are: {allowed}.")
    settings: dict[str, Any] = {"title": name}
    for key, kind in SETTINGS.items():
        if key in values:
            if not isinstance(values[key], kind):
                raise PixCellError(f"{path.name}: “{key}” has the wrong type; correct it.")
            settings[key] = values[key]
    own = [_part(path, kind, values[kind], base) for kind in NETWORKS if kind in values]
    kept = [part for part in base.parts if part.kind not in {part.kind for part in own}]
    return replace(base, name=name, parts=(*kept, *own), **settings)


def _part(path: Path, kind: str, values: Any, base: Family) -> Part:
    from napari_pixcell.models.catalogue import Part

    where = values.get("file") or values.get("folder") if isinstance(values, dict) else None
    if not isinstance(where, str) or not set(values) <= {"file", "folder", "licence"}:
        raise PixCellError(
            f'{path.name}: [{kind}] needs folder = "…" or file = "…", and may have licence = "…".'
        )
    place = Path(where).expanduser()
    if not place.is_absolute():
        place = path.parent / place
    folder = place.parent if "file" in values else place
    weights = place.name if "file" in values else WEIGHTS
    files = (weights,) if kind in ("lora", "flow") else (weights, "config.json")
    sizes = [(folder / name).stat().st_size for name in files if (folder / name).is_file()]
    # The same class as in the base: the demo family's autoencoder is not PixCell's.
    same = base.part(kind)  # type: ignore[arg-type]
    network = same.network if same is not None else NETWORKS[kind]
    licence = str(values.get("licence", "the user's own weights"))
    return Part(kind, network, "", files, sum(sizes), licence, folder=folder)  # type: ignore[arg-type]
