"""Write the page of environment variables and preferences: ``python docs/tools/settings.py``.

The table is that of ``napari_pixcell.preferences``. Titles in napari's preferences are those of
``napari.yaml``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

import napari_pixcell
from napari_pixcell.preferences import FOREIGN, SETTINGS, UserSetting

MANIFEST = Path(napari_pixcell.__file__).parent / "napari.yaml"
HEAD = """A setting is an environment variable, a preference, or both. The variable comes first,
then the preference, then the default.

- Preferences are keys of `preferences.json` in the configuration folder. Those with a name under
  *in napari* are also on **Preferences → PixCell studio**.
- `napari-pixcell doctor` prints the folders.
- A preference that is not valid counts as not set. A damaged file is kept beside the new one, as
  `preferences.json.damaged`.
- Sizes are in megabytes of 1,000,000 bytes.
"""
ROW = "| {variable} | {name} | {title} | {default} | {meaning} |"
COLUMNS = ROW.format(
    variable="variable",
    name="key in preferences.json",
    title="in napari",
    default="default",
    meaning="meaning",
)
OTHERS = """
## Variables of other programs

The package reads these too, or starts libraries that do.

| variable | default | program and meaning |
| --- | --- | --- |
"""


def page_titles() -> dict[tuple[str, str], str]:
    """Return the titles on the plugin's page in napari's preferences, by group and key."""
    manifest = yaml.safe_load(MANIFEST.read_text("utf-8"))
    groups = manifest["contributions"]["configurations"]
    return {
        (group, key): value["title"]
        for group, part in groups.items()
        for key, value in part["properties"].items()
    }


def shown_default(setting: UserSetting) -> str:
    """Return a default as people read it, with its unit."""
    if setting.default is None:
        return "not set"
    if isinstance(setting.default, bool):
        return "on" if setting.default else "off"
    return f"{setting.default} {setting.unit}".strip()


def markdown() -> str:
    """Return the page."""
    titles = page_titles()
    rows = [
        ROW.format(
            variable=_code(one.variable),
            name=_code(one.name),
            title=titles[one.page].split(" (")[0] if one.page else "",
            default=shown_default(one),
            meaning=one.meaning,
        )
        for one in sorted(SETTINGS, key=lambda one: (not one.variable, one.variable, one.name))
    ]
    others = [
        f"| {_code(one.variable)} | {shown_default(one)} | {one.meaning} |"
        for one in sorted(FOREIGN, key=lambda one: one.variable)
    ]
    table = "\n".join([COLUMNS, "| --- " * 5 + "|", *rows])
    return f"{HEAD}\n{table}\n{OTHERS}" + "\n".join(others) + "\n"


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


if __name__ == "__main__":
    sys.stdout.write(markdown())
