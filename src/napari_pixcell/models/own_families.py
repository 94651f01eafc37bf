"""The user's own families: small TOML files in the configuration folder, without code.

``families/lung.toml``::

    base = "pixcell-256-cells"      # the family to start from
    title = "Lung, our scanner"     # optional, as are tile settings such as guidance
    guidance = 2.0

    [controlnet]                    # any of transformer, controlnet, vae, lora, flow, decoder
    folder = "/data/lung-controlnet"  # holds config.json and the weights
    licence = "internal use"

    [lora]
    file = "/data/lung_lora.safetensors"

The file's name is the family's. A stain that was taught is one with a flow.
"""

from __future__ import annotations

import json
import logging
import re
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
    "decoder": "autoencoder-kl",
}
ALONE = ("lora", "flow", "decoder")  # without a config
# What a name can be made of: it is a file's, and typed in lists with commas.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")
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
    named = str(values.pop("base", ""))
    base = built_in.get(named)
    if base is None:
        missing = f"; there is no base “{named}” here" if named else ""
        raise PixCellError(
            f'{path.name} needs a line base = "…" with one of: {", ".join(built_in)}{missing}.'
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


def check_own_name(name: str, built_in: Mapping[str, Family]) -> None:
    """Refuse a name that no family of the user's can have.

    Raises
    ------
    PixCellError
        If it is a built-in one's, or no name of a file.
    """
    if not NAME.fullmatch(name):
        raise PixCellError(
            f"“{name}” cannot be a stain's name; use letters, digits, “-” and “_”, such as my-her2."
        )
    if name in built_in:
        raise PixCellError(f"“{name}” is a built-in model; choose another name.")


def write_own_family(
    name: str,
    base: Family,
    settings: Mapping[str, Any],
    parts: Mapping[str, Path],
    licence: str,
) -> Path:
    """Make weights a family of the user's own, at once.

    Parameters
    ----------
    name : str
    base : Family
        A built-in one that has what ``parts`` have not.
    settings : mapping
        Some of ``SETTINGS``.
    parts : mapping of str to Path
        Weight files, by what they are in the family.
    licence : str
        Of all of them.

    Returns
    -------
    Path
        Of the TOML file.

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
    temporary = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text("\n".join([*lines, ""]), "utf-8")
        temporary.replace(path)
    except OSError as error:
        raise PixCellError(
            f"The stain cannot be added to your models ({error.strerror}); make the configuration "
            "folder writable, or name another in PIXCELL_CONFIG_DIR."
        ) from error
    return path


def check_not_taken(name: str, folder: Path) -> None:
    """Refuse the name of a family of the user's whose weights are not in ``folder``."""
    path = families_folder() / f"{name}.toml"
    if path.exists() and _quoted(str(folder))[1:-1] not in path.read_text("utf-8", "replace"):
        raise PixCellError(
            f"You have another model named “{name}”; choose another name, or remove its file "
            f"{path.name} from the folder of your families."
        )


def _quoted(text: str) -> str:
    """Write a string as TOML: JSON's escapes are TOML's."""
    return json.dumps(text, ensure_ascii=False)


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
    files = (weights,) if kind in ALONE else (weights, "config.json")
    sizes = [(folder / name).stat().st_size for name in files if (folder / name).is_file()]
    # The same class as in the base: the demo family's autoencoder is not PixCell's.
    same = base.part("vae" if kind == "decoder" else kind)  # type: ignore[arg-type]
    network = same.network if same is not None else NETWORKS[kind]
    licence = str(values.get("licence", "the user's own weights"))
    return Part(kind, network, "", files, sum(sizes), licence, folder=folder)  # type: ignore[arg-type]
