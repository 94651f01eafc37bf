"""A model of the user's own that knows classes of cells: the demo's networks with a palette."""

from __future__ import annotations

from napari_pixcell.models.own_families import families_folder

PALETTE = (("tumour", "#ff2020"), ("stroma", "#2060ff"), ("", "#ffffff"))


def write_own_classes(name: str = "marked", palette: tuple[tuple[str, str], ...] = PALETTE) -> str:
    """Write the family to the configuration, and return its name."""
    lines = ['base = "demo"', f'title = "{name.capitalize()}"', "[classes]"]
    lines += [f'"{one}" = "{colour}"' for one, colour in palette]
    families_folder().mkdir(parents=True, exist_ok=True)
    (families_folder() / f"{name}.toml").write_text("\n".join([*lines, ""]))
    return name
