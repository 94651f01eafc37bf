"""The user's own families: small TOML files in the configuration folder, without code.

``families/lung.toml``::

    base = "pixcell-256-cells"      # the family to start from
    title = "Lung, our scanner"     # optional, as are tile settings such as guidance
    guidance = 2.0
    cell_gap = true                 # the ControlNet was trained with gaps between touching cells

    [controlnet]                    # any of transformer, controlnet, vae, lora, flow, decoder
    folder = "/data/lung-controlnet"  # contains config.json and the weights
    licence = "internal use"

    [lora]
    file = "/data/lung_lora.safetensors"

The file's name is the family's. A trained stain is a family with a flow.
"""

from __future__ import annotations

import json
import logging
import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_pixcell.errors import PixCellError
from napari_pixcell.files import write_whole
from napari_pixcell.folders import config_folder
from napari_pixcell.models.catalogue import Family, Kind, Part

log = logging.getLogger(__name__)

SETTINGS: dict[str, type | tuple[type, ...]] = {
    "title": str,
    "notice": str,
    "steps": int,
    "guidance": (int, float),
    "layout_guidance": (int, float),
    "cell_gap": bool,
}
NETWORKS: dict[Kind, str] = {
    "transformer": "pixcell-transformer",
    "controlnet": "pixcell-controlnet",
    "vae": "autoencoder-kl",
    "lora": "pixcell-transformer",
    "flow": "stain-flow",
    "decoder": "autoencoder-kl",
}
WITHOUT_CONFIG = ("lora", "flow", "decoder")
# Valid in a file name, and in lists separated by commas.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")
WEIGHTS = "diffusion_pytorch_model.safetensors"


def families_folder() -> Path:
    """Return the folder of the TOML files."""
    return config_folder() / "families"


def read_own_families(built_in: Mapping[str, Family]) -> dict[str, Family]:
    """Read every TOML file. An invalid one is skipped, and the log says why."""
    families = {}
    for path in sorted(families_folder().glob("*.toml")):
        try:
            families[path.stem] = read_own_family(path, built_in)
        except PixCellError as error:
            log.warning("%s", error)
    return families


def read_own_family(path: Path, built_in: Mapping[str, Family]) -> Family:
    """Read one of the user's families.

    Raises
    ------
    PixCellError
        If the file is not TOML, or names an unknown base, setting or part.
    """
    name = path.stem
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PixCellError(f"{path.name} is not a TOML file ({error}). Correct it.") from error
    if name in built_in:
        raise PixCellError(f"{path.name} has the name of a built-in family. Rename the file.")
    named = str(values.pop("base", ""))
    base = built_in.get(named)
    if base is None:
        missing = f" There is no base “{named}”." if named else ""
        raise PixCellError(
            f'{path.name} needs a line base = "…" with one of: {", ".join(built_in)}.{missing}'
        )
    unknown = sorted(set(values) - set(SETTINGS) - set(NETWORKS))
    if unknown:
        allowed = ", ".join([*SETTINGS, *NETWORKS])
        raise PixCellError(f"{path.name}: “{unknown[0]}” is unknown. Allowed are: {allowed}.")
    settings: dict[str, Any] = {"title": name}
    for key, kind in SETTINGS.items():
        if key in values:
            if not isinstance(values[key], kind):
                raise PixCellError(f"{path.name}: “{key}” has the wrong type. Correct it.")
            settings[key] = values[key]
    own = [_part(path, kind, values[kind], base) for kind in NETWORKS if kind in values]
    kept = [part for part in base.parts if part.kind not in {part.kind for part in own}]
    return replace(base, name=name, parts=(*kept, *own), **settings)


def check_own_name(name: str, built_in: Mapping[str, Family]) -> None:
    """Raise PixCellError if a family of the user's cannot have this name.

    It must be valid in a file name, and not that of a built-in family.
    """
    if not NAME.fullmatch(name):
        raise PixCellError(
            f"“{name}” cannot be the name of a stain. Use letters, digits, “-” and “_”, such as "
            "my-her2."
        )
    if name in built_in:
        raise PixCellError(f"“{name}” is a built-in model. Choose another name.")


def write_own_family(
    name: str, base: Family, settings: Mapping[str, Any], parts: Mapping[str, Path], licence: str
) -> Path:
    """Write the TOML file of a new family, and return its path.

    Parameters
    ----------
    base : Family
        A built-in one, which provides the remaining parts.
    settings : mapping
        Some of ``SETTINGS``.
    parts : mapping of str to Path
        Weight files by kind, all under ``licence``.

    Raises
    ------
    PixCellError
        If another family has this name, or the file cannot be written.
    """
    path = families_folder() / f"{name}.toml"
    lines = [f"base = {_quoted(base.name)}"]
    lines += [
        f"{key} = {_quoted(value) if isinstance(value, str) else value}"
        for key, value in settings.items()
    ]
    for kind, file in parts.items():
        lines += ["", f"[{kind}]", f"file = {_quoted(str(file))}", f"licence = {_quoted(licence)}"]
    check_not_taken(name, next(iter(parts.values())).parent)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, "\n".join([*lines, ""]))
    except OSError as error:
        raise PixCellError(
            f"The stain cannot be added to your models ({error.strerror}). Make the configuration "
            "folder writable, or name another in PIXCELL_CONFIG_DIR."
        ) from error
    return path


def check_not_taken(name: str, folder: Path) -> None:
    """Raise PixCellError if another family of the user's has this name, with weights elsewhere."""
    path = families_folder() / f"{name}.toml"
    if path.exists() and _quoted(str(folder))[1:-1] not in path.read_text("utf-8", "replace"):
        raise PixCellError(
            f"You have another model named “{name}”. Choose another name, or remove its file "
            f"{path.name} from your families folder."
        )


def _quoted(text: str) -> str:
    """Return a TOML string, which has the escapes of JSON."""
    return json.dumps(text, ensure_ascii=False)


def _part(path: Path, kind: Kind, values: Any, base: Family) -> Part:
    where = values.get("file") or values.get("folder") if isinstance(values, dict) else None
    if not isinstance(where, str) or not set(values) <= {"file", "folder", "licence"}:
        raise PixCellError(
            f'{path.name}: [{kind}] needs folder = "…" or file = "…", and may have licence = "…".'
        )
    location = path.parent / Path(where).expanduser()  # an absolute path stays as it is
    folder = location.parent if "file" in values else location
    weights = location.name if "file" in values else WEIGHTS
    files = (weights,) if kind in WITHOUT_CONFIG else (weights, "config.json")
    sizes = [(folder / name).stat().st_size for name in files if (folder / name).is_file()]
    # The same class as in the base: the demo family's autoencoder is not PixCell's.
    same = base.part("vae" if kind == "decoder" else kind)
    network = same.network if same is not None else NETWORKS[kind]
    licence = str(values.get("licence", "the user's own weights"))
    return Part(kind, network, "", files, sum(sizes), licence, folder=folder)
