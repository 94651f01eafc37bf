"""The user's own families: small TOML files in the configuration folder, without code.

``families/lung.toml``::

    base = "pixcell-256-cells"      # the family to start from
    title = "Lung, our scanner"     # optional, as are tile settings such as guidance
    guidance = 2.0
    cell_gap = true                 # the ControlNet was trained with gaps between touching cells
    colour_match = "gentle"         # default for new pictures: off, gentle or full

    [controlnet]                    # any of transformer, controlnet, vae, lora, flow, decoder
    folder = "/data/lung-controlnet"  # contains config.json and the weights
    licence = "internal use"

    [lora]
    file = "/data/lung_lora.safetensors"

    [classes]                       # of cells, if the ControlNet was trained on class maps
    tumour = "#ff2020"
    lymphocyte = "#2060ff"

The file's name is the family's. A trained stain is a family with a flow.
"""

from __future__ import annotations

import json
import logging
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from napari_pixcell.cells.class_map import Palette, checked_palette
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import private_folder, write_whole
from napari_pixcell.folders import config_folder
from napari_pixcell.models.catalogue import BUILT_IN, COLOUR_MATCHES, Family, Kind, Part
from napari_pixcell.untrusted import read_bounded, reading

log = logging.getLogger(__name__)

MOST_BYTES = 2**20
LONGEST_TITLE, LONGEST_PART = 200, 255  # characters of a title, and of a name in a path
# Lowest and highest value of the settings that are numbers
RANGES = {"steps": (1, 1000), "guidance": (0, 50), "layout_guidance": (0, 50)}
SETTINGS: dict[str, type | tuple[type, ...]] = {
    "title": str,
    "notice": str,
    "steps": int,
    "guidance": (int, float),
    "layout_guidance": (int, float),
    "cell_gap": bool,
    "colour_match": str,
}
NETWORKS: dict[Kind, str] = {
    "transformer": "pixcell-transformer",
    "controlnet": "pixcell-controlnet",
    "vae": "autoencoder-kl",
    "lora": "pixcell-transformer",
    "flow": "stain-flow",
    "decoder": "autoencoder-kl",
}
CLASSES = "classes"
WITHOUT_CONFIG = ("lora", "flow", "decoder")
# Valid in a file name, and in lists separated by commas.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")
WEIGHTS = "diffusion_pytorch_model.safetensors"


def families_folder() -> Path:
    """Return the folder of the TOML files."""
    return config_folder() / "families"


def read_own_families(built_in: Mapping[str, Family]) -> dict[str, Family]:
    """Read every TOML file. An invalid one is skipped, and the log says why, once."""
    families, problems = _read_all(built_in)
    for problem in problems:
        _warn(problem)
    return families


def problems(built_in: Mapping[str, Family] = BUILT_IN) -> list[str]:
    """Return a sentence for each of the user's families that cannot be used."""
    return _read_all(built_in)[1]


def _read_all(built_in: Mapping[str, Family]) -> tuple[dict[str, Family], list[str]]:
    families, problems = {}, []
    for path in sorted(families_folder().glob("*.toml")):
        if path.name.startswith("."):  # of other programs, such as ._lung.toml of macOS
            continue
        try:
            families[path.stem] = read_own_family(path, built_in)
        except PixCellError as error:
            problems.append(str(error))
    return families, problems


@cache
def _warn(problem: str) -> None:
    log.warning("%s", problem)


def read_own_family(path: Path, built_in: Mapping[str, Family]) -> Family:
    """Read one of the user's families.

    Raises
    ------
    PixCellError
        If the file is not TOML, or names an unknown base, setting or part, or an impossible path.
    """
    with reading(path.name, "Correct it."):
        return _read(path, built_in)


def _read(path: Path, built_in: Mapping[str, Family]) -> Family:
    name = path.stem
    data = read_bounded(path, MOST_BYTES, "family")
    try:
        values = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        reason = str(error)[:80] or "nested too deeply"
        raise PixCellError(f"{path.name} is not a TOML file ({reason}). Correct it.") from error
    if name in built_in:
        raise PixCellError(f"{path.name} has the name of a built-in family. Rename the file.")
    named = str(values.pop("base", ""))[:LONGEST_TITLE]
    base = built_in.get(named)
    if base is None:
        missing = f" There is no base “{named}”." if named else ""
        raise PixCellError(
            f'{path.name} needs a line base = "…" with one of: {", ".join(built_in)}.{missing}'
        )
    palette = _palette(path, values.pop(CLASSES)) if CLASSES in values else ()
    unknown = sorted(set(values) - set(SETTINGS) - set(NETWORKS))
    if unknown:
        allowed = ", ".join([*SETTINGS, *NETWORKS, CLASSES])
        raise PixCellError(f"{path.name}: “{unknown[0]}” is unknown. Allowed are: {allowed}.")
    settings = {"title": name} | {
        key: _setting(path, key, kind, values[key])
        for key, kind in SETTINGS.items()
        if key in values
    }
    own = [_part(path, kind, values[kind], base) for kind in NETWORKS if kind in values]
    kept = [part for part in base.parts if part.kind not in {part.kind for part in own}]
    return replace(base, name=name, parts=(*kept, *own), palette=palette, **settings)


def _palette(path: Path, values: Any) -> Palette:
    if not isinstance(values, dict) or not all(isinstance(one, str) for one in values.values()):
        raise PixCellError(
            f'{path.name}: [{CLASSES}] needs lines such as tumour = "#ff2020". Correct it.'
        )
    try:
        return checked_palette(values.items())
    except PixCellError as error:
        raise PixCellError(f"{path.name}: {error}") from error


def _setting(path: Path, key: str, kind: type | tuple[type, ...], value: Any) -> Any:
    fits = isinstance(value, kind) and isinstance(value, bool) == (kind is bool)
    if not fits:
        raise PixCellError(f"{path.name}: “{key}” has the wrong type. Correct it.")
    if key in RANGES:
        low, high = RANGES[key]
        if not low <= value <= high:  # NaN is not either
            raise PixCellError(f"{path.name}: “{key}” must be {low} to {high}. Correct it.")
    if key == "colour_match" and value not in COLOUR_MATCHES:
        raise PixCellError(
            f"{path.name}: “{key}” must be one of {', '.join(COLOUR_MATCHES)}. Correct it."
        )
    if key == "title" and not (value.isprintable() and 0 < len(value) <= LONGEST_TITLE):
        raise PixCellError(
            f"{path.name}: “{key}” must be one line of at most {LONGEST_TITLE} characters. "
            "Correct it."
        )
    return value


def check_own_name(name: str, built_in: Mapping[str, Family], what: str = "stain") -> None:
    """Raise PixCellError if a family of the user's cannot have this name.

    It must be valid in a file name, and not that of a built-in family.
    """
    if not NAME.fullmatch(name):
        raise PixCellError(
            f"“{name}” cannot be the name of a {what}. Use letters, digits, “-” and “_”, such as "
            f"my-{'her2' if what == 'stain' else 'cells'}."
        )
    if name in built_in:
        raise PixCellError(f"“{name}” is a built-in model. Choose another name.")


def write_own_family(
    name: str,
    base: Family,
    settings: Mapping[str, Any],
    parts: Mapping[str, Path],
    licence: str,
    palette: Palette = (),
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
    palette : tuple of (name, colour)
        Classes of cells that its ControlNet draws apart.

    Raises
    ------
    PixCellError
        If another family has this name, or the file cannot be written.
    """
    path = families_folder() / f"{name}.toml"
    lines = [f"base = {_quoted(base.name)}"]
    lines += [
        f"{key} = {_quoted(value) if isinstance(value, str | bool) else value}"
        for key, value in settings.items()
    ]
    for kind, file in parts.items():
        lines += ["", f"[{kind}]", f"file = {_quoted(str(file))}", f"licence = {_quoted(licence)}"]
    if palette:
        lines += ["", f"[{CLASSES}]"]
        lines += [f"{_quoted(one)} = {_quoted(colour)}" for one, colour in palette]
    check_not_taken(name, next(iter(parts.values())).parent)
    try:
        private_folder(path.parent)
        write_whole(path, "\n".join([*lines, ""]), private=True)
    except OSError as error:
        raise PixCellError(
            f"“{name}” cannot be added to your models ({error.strerror}). Make the configuration "
            "folder writable, or name another in PIXCELL_CONFIG_DIR."
        ) from error
    return path


def remove_own_family(name: str) -> None:
    """Remove the TOML file of a family of the user's, if there is one. Its weights stay.

    Raises
    ------
    PixCellError
        If it cannot be removed.
    """
    path = families_folder() / f"{name}.toml"
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise PixCellError(
            f"“{name}” cannot be removed from your models ({error.strerror}). Make the file "
            f"{path.name} in your families folder writable."
        ) from error


def check_not_taken(name: str, folder: Path) -> None:
    """Raise PixCellError if another family of the user's has this name, with weights elsewhere."""
    path = families_folder() / f"{name}.toml"
    if path.exists() and _quoted(str(folder))[1:-1] not in _text(path):
        raise PixCellError(
            f"You have another model named “{name}”. Choose another name, or remove its file "
            f"{path.name} from your families folder."
        )


def _text(path: Path) -> str:
    with reading(path.name, "Remove it from your families folder."):
        return read_bounded(path, MOST_BYTES, "family").decode("utf-8", "replace")


def _quoted(value: str | bool) -> str:
    """Return a TOML string or truth value, which are written as in JSON."""
    return json.dumps(value, ensure_ascii=False)


def _part(path: Path, kind: Kind, values: Any, base: Family) -> Part:
    where = values.get("file") or values.get("folder") if isinstance(values, dict) else None
    if not isinstance(where, str) or not set(values) <= {"file", "folder", "licence"}:
        raise PixCellError(
            f'{path.name}: [{kind}] needs folder = "…" or file = "…", and may have licence = "…".'
        )
    try:
        location = path.parent / Path(where).expanduser()  # an absolute path stays as it is
        os.fsencode(location)
        if "\0" in where or max(map(len, location.parts)) > LONGEST_PART:
            raise ValueError("not a path")
    except (RuntimeError, ValueError) as error:  # of “~name”, if there is no such user
        raise PixCellError(
            f"{path.name}: the path “{where[:60]}” in [{kind}] is not valid. Correct it."
        ) from error
    folder = location.parent if "file" in values else location
    weights = location.name if "file" in values else WEIGHTS
    files = (weights,) if kind in WITHOUT_CONFIG else (weights, "config.json")
    sizes = [(folder / name).stat().st_size for name in files if (folder / name).is_file()]
    # The same class as in the base: the demo family's autoencoder is not PixCell's.
    same = base.part("vae" if kind == "decoder" else kind)
    network = same.network if same is not None else NETWORKS[kind]
    licence = str(values.get("licence", "the user's own weights"))
    return Part(kind, network, "", files, sum(sizes), licence, folder=folder)
