"""README, dataset card and licences of a converted dataset."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from napari_pixcell import __version__
from napari_pixcell.cells.class_map import Palette
from napari_pixcell.datasets.formats.base import CELL, Facts
from napari_pixcell.datasets.splits import TRAIN
from napari_pixcell.datasets.store.rows import JsonRow

# Patterns of licence texts, the strictest first, and their identifiers on the hub.
HUB_LICENCES = (
    (r"BY-NC-ND", "cc-by-nc-nd-4.0"),
    (r"BY-NC-SA", "cc-by-nc-sa-4.0"),
    (r"BY-NC\b", "cc-by-nc-4.0"),
    (r"non-commercial|Community Licence", "other"),
    (r"BY-SA", "cc-by-sa-4.0"),
    (r"CC BY\b", "cc-by-4.0"),
    (r"Apache", "apache-2.0"),
    (r"CC0", "cc0-1.0"),
)
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def cells_of(layouts: Iterable[JsonRow]) -> tuple[str, ...]:
    """Return the methods behind the cells of layouts, each once, with its licence."""
    ways: dict[str, None] = {}
    for row in layouts:
        made = row["made"]
        model = f" {made['model']}" if made.get("model") else ""
        licence = f" ({made['licence']})" if made.get("licence") else ""
        ways[f"{made['method']}{model}{licence}"] = None
    return tuple(ways)


def classes_of(layouts: Iterable[JsonRow], palette: Palette) -> tuple[str, ...]:
    """Return the classes of the cells of layouts: first those of a palette, then others by name.

    “cell” is added for cells without one. Empty if no cell has a class.
    """
    found: set[str] = set()
    without = False
    for row in layouts:
        found.update(row["classes"].values())
        without = without or len(row["classes"]) < row["cells"]
    if not found:
        return ()
    names = [name for name, _ in palette if name in found]
    names += sorted(found - {*names} - {CELL})
    return (*names, CELL) if without or CELL in found else tuple(names)


def hub_licence(words: Iterable[str]) -> str:
    """Return the hub's identifier of the strictest of several licences; ``other`` if unsure."""
    text = "; ".join(words)
    for pattern, name in HUB_LICENCES:
        if re.search(pattern, text):
            return name
    return "other"


def readme(facts: Facts, how: str) -> str:
    """Return the README: contents of the files, ``how`` to open them, their origin and terms."""
    return f"{_what(facts)}\n{how}\n{_made(facts)}\n{_terms(facts)}"


def card(facts: Facts, text: str) -> str:
    """Return the dataset card of the Hugging Face hub: front matter, then the README's text."""
    description = facts.description
    size = next((name for most, name in SIZES if facts.total < most), "1M<n<10M")
    parts = [part or TRAIN for part in facts.counts]
    files = [{"split": part, "path": f"{part}/**"} for part in parts]
    front: dict[str, Any] = {
        "pretty_name": description.name,
        "license": hub_licence((description.licence, *facts.cells)),
    }
    if front["license"] == "other":
        front["license_name"] = "terms-of-the-models"
    front |= {
        "task_categories": ["image-segmentation"],
        "annotations_creators": ["machine-generated"],
        "tags": ["synthetic", "histopathology", "cells", "napari-pixcell"],
        "size_categories": [size],
        "configs": [{"config_name": "default", "data_files": files}],
    }
    # JSON is YAML.
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in front.items()]
    head = "\n".join(("---", *lines, "---", "", f"# {description.name}", ""))
    return f"{head}\n{text}"


def _what(facts: Facts) -> str:
    description = facts.description
    height, width = description.size
    kind = "pairs of an image and a mask of its cells" if facts.masks else "images"
    lines = [
        "SYNTHETIC images, made by a model; not real tissue. For research use only.",
        "",
        f"{facts.total:,} {kind}, {width} × {height} px at {description.mpp:g} µm per px.",
    ]
    if facts.classes:
        lines.append(f"Classes of the cells: {', '.join(facts.classes)}.")
    if facts.split is not None:
        counts = ", ".join(f"{part} {count:,}" for part, count in facts.counts.items())
        lines.append(
            f"Parts: {counts}. No two parts share a slide of tissue or variations of a layout."
        )
    return "\n".join(lines) + "\n"


def _made(facts: Facts) -> str:
    description, settings = facts.description, facts.description.settings
    lines = [
        f"Made by napari-pixcell with the family {description.family}: {settings.steps} steps, "
        f"guidance {settings.guidance:g}.",
        *(f"Weights {name}: sha256 {digest}" for name, digest in description.weights.items()),
    ]
    lines += [f"Cells: {words}" for words in facts.cells]
    if facts.masks:
        how = description.checks.segmenter.words
        lines.append(f"The agreement of each image with its mask was checked with {how}.")
    lines.append(
        f"manifest.jsonl links each file to its pair in the dataset {description.id}. The images "
        "carry the records that reproduce them."
    )
    return "\n".join(lines) + "\n"


def _terms(facts: Facts) -> str:
    description = facts.description
    lines = [
        f"Licence of the weights, which also covers the images: {description.licence or 'unknown'}",
        description.notice,
        f"Converted by napari-pixcell {__version__}.",
    ]
    return "\n\n".join(filter(None, lines)) + "\n"
