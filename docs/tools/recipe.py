"""Print the tables of dataset recipes: ``python docs/tools/recipe.py``.

Keys, types, limits and defaults are those of the JSON Schema that checks recipes.
"""

from __future__ import annotations

import re
import sys

from schema_tables import parameters, table

from napari_pixcell.cells.inventing.recipe import Recipe
from napari_pixcell.cells.methods import SegmentMethod
from napari_pixcell.datasets.recipe.recipe import KEY, DatasetRecipe, recipe_schema
from napari_pixcell.datasets.store.checks import FLAGGED_BY, FLAGS, SCORES, Checks
from napari_pixcell.datasets.store.plan import PAIRINGS
from napari_pixcell.engine.repair import Repair
from napari_pixcell.engine.tissue_colours import TissueColours

SOURCES = {  # of a style or layout, in the order of the schema
    "RegionStyle": "A region of a slide, cut into tiles.",
    "SlideStyle": "Tiles with tissue of a slide, evenly spread.",
    "PictureStyle": "An image, cut into tiles.",
    "FolderStyle": "All images of a folder.",
    "FeaturesStyle": "Patches of a file of features, or of each file in a folder.",
    "LibraryStyle": "A saved style.",
    "BlendStyle": "A blend of other styles.",
    "EmbeddingStyle": "An embedding by value, as a session writes it.",
    "NothingStyle": "No style: any tissue.",
    "FileLayout": "A file of cells in any format that can be imported.",
    "FolderLayout": "All files of cells of a folder.",
    "LabelsLayout": "A label image by value.",
    "StyleLayout": "Cells segmented in the tissue of the styles.",
    "InventLayout": "Invented cells.",
    "VaryLayout": "Variations of another layout.",
}
OBJECTS = {
    "Invented": ("Recipe of invented cells", Recipe),
    "Checks": ("Checks", Checks),
    "SegmentMethod": ("Segment method", SegmentMethod),
    "Repair": ("Repair", Repair),
    "Source": ("Source of an embedding", None),
    "Colours": ("Tissue colours", TissueColours),
    "Embedding": ("Embedding", None),
    "Pixels": ("Pixels", None),
    "Labels": ("Labels", None),
}
ARRAY = {
    "dtype": "NumPy's name of the type.",
    "shape": "Length of each axis.",
    "zlib": "Its bytes in C order, compressed by zlib, in base64.",
}
WORDS = {  # of the keys of styles and layouts, by which no class has a docstring
    "from": "Kind of the source.",
    "slide": "Path of the slide.",
    "region": "x, y, width and height in level-0 pixels.",
    "mpp": "Pixel size in µm, instead of the file's own. By default that of the model, if the "
    "file is an image that states none.",
    "name": "Name for people. It must not identify a patient.",
    "group": "Joins sources that belong together, such as those of one patient. Splits keep a "
    "group whole. By default, the styles of one slide are a group.",
    "most": "Number of tiles or patches at most.",
    "path": "Path of the file or folder.",
    "file": "Path of the file or folder of features.",
    "seed": "Seed of what is drawn at random.",
    "styles": "The styles that are blended.",
    "shares": "A share for each style. By default all alike.",
    "embedding": "The embedding, (tokens, dimension) or (rows, columns, dimension).",
    "pixels": "The tissue it was computed from, to which colours are matched.",
    "source": "Where it came from.",
    "colours": "Colours of its tissue, instead of pixels.",
    "image": "Of a file that annotates several images: the name of the one to read.",
    "slide_mpp": "Pixel size in µm of the slide that outlines lie on.",
    "labels": "The label image.",
    "classes": "Classes of cells that have none, drawn at random in these proportions.",
    "made": "How it was made, as napari-pixcell wrote it.",
    "recipe": "Statistics of the cells.",
    "count": "How many layouts.",
    "layout": "The layout to vary.",
    "jitter_um": "Distance in µm by which cells are moved at random.",
    "drop": "Share of the cells that are removed.",
    "add": "Share of cells that are added.",
}
PLACES = {  # words of a key that mean something else in one source
    ("FileLayout", "slide"): "Path of the slide that outlines lie on.",
    ("FolderLayout", "slide"): "Path of the slide that outlines lie on.",
    ("FileLayout", "region"): "Region of that slide, in level-0 pixels.",
    ("FolderLayout", "region"): "Region of that slide, in level-0 pixels.",
    ("LabelsLayout", "classes"): "Class of each cell, by its label.",
    ("LibraryStyle", "name"): "Name or id of the saved style.",
}
TOP = {
    KEY: "Version of the format. Always the first key.",
    "$schema": "Where an editor finds the JSON Schema.",
    "name": "Name of the dataset, for people.",
    "family": "Name of the family of models.",
    "styles": "Where styles come from.",
    "layouts": "Where layouts come from. Without any, there are no masks.",
    "seeds": "Number of pairs of the same style and layout.",
    "first_seed": "Seed of the first pair. Pair *i* has this seed + *i*.",
    "pairs": "Number of pairs. Required with the pairing `random`.",
    "steps": "Denoising steps. By default the family's.",
    "guidance": "Guidance scale. By default the family's.",
    "layout_strength": "How strongly the layout acts.",
    "layout_until": "Share of the steps in which the layout acts.",
    "preset": "What is skipped for speed, or the published method.",
    "picture": "File format of the images.",
}


def markdown() -> str:
    """Return the tables of a recipe and of its parts."""
    schema = recipe_schema()
    definitions = schema["$defs"]
    titles = {name: _title(name) for name in SOURCES}
    titles |= {name: title for name, (title, _) in OBJECTS.items()}
    anchors = {name: f"[{title.lower()}](#{_slug(title)})" for name, title in titles.items()}
    top = parameters(DatasetRecipe) | TOP | {"pairing": _choices(PAIRINGS)}
    parts = ["## The recipe", table(schema, top, anchors), "## Styles"]
    for name, summary in SOURCES.items():
        if name == "FileLayout":
            parts.append("## Layouts")
        words = WORDS | {key: text for (of, key), text in PLACES.items() if of == name}
        rows = table(definitions[name], words, anchors)
        parts += [f"### {titles[name]}", summary, rows]
    parts.append("## Parts")
    for name, (title, cls) in OBJECTS.items():
        words = parameters(cls) if cls is not None else WORDS | ARRAY
        if cls is Checks:
            words = _thresholds() | {"segmenter": "What segments the cells of the images."}
        parts += [f"### {title}", table(definitions[name], words, anchors)]
    return "\n\n".join(parts) + "\n"


def _thresholds() -> dict[str, str]:
    """Return what each threshold compares, by the words of the scores and flags."""
    words = {}
    for score, flag in FLAGGED_BY.items():
        for side in ("least", "most"):
            words[f"{side}_{score}"] = (
                f"Smallest value of the score `{score}`: {SCORES[score]}. Flag: {FLAGS[flag]}."
                if side == "least"
                else f"Largest value of `{score}`: {SCORES[score]}. Flag: {FLAGS[flag]}."
            )
    return words


def _choices(words: dict[str, str]) -> str:
    return "; ".join(f"`{name}`: {text}" for name, text in words.items()) + "."


def _title(name: str) -> str:
    return re.sub("(?<!^)([A-Z])", r" \1", name).capitalize()


def _slug(title: str) -> str:
    return title.lower().replace(" ", "-")


if __name__ == "__main__":
    sys.stdout.write(markdown())
