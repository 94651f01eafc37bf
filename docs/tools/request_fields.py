"""Print the tables of requests: ``python docs/tools/request_fields.py``.

The JSON Schema is that of the dataclasses that the engine runs. ``--write`` stores it in
``docs/request.schema.json`` instead.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import GetJsonSchemaHandler, TypeAdapter
from pydantic_core import core_schema
from schema_tables import parameters, summary, table

from napari_pixcell.cells.class_map import ClassMap
from napari_pixcell.cells.methods import LayoutSource, SegmentMethod
from napari_pixcell.engine.colour_match import ColourMatch
from napari_pixcell.engine.packed import DTYPES, PackedArray
from napari_pixcell.engine.repair import Repair
from napari_pixcell.engine.request_values import (
    LARGEST_PASS,
    EmbedRequest,
    GenerateRequest,
    SegmentRequest,
    Source,
)
from napari_pixcell.engine.tissue_colours import TissueColours
from napari_pixcell.engine.training.control.request import TrainControlRequest
from napari_pixcell.engine.training.request import TrainRequest
from napari_pixcell.evaluation.request import EvaluateRequest
from napari_pixcell.verification.request import VerifyRequest

RECIPE = "recipe.schema.json"  # beside the schema of requests
FILE = Path(__file__).parents[1] / "request.schema.json"
KINDS: dict[str, type] = {
    "generate": GenerateRequest,
    "embed": EmbedRequest,
    "segment": SegmentRequest,
    "train": TrainRequest,
    "train control": TrainControlRequest,
    "evaluate": EvaluateRequest,
    "verify": VerifyRequest,
}
EARLIER = {"train": "teach"}  # names of the first versions, which are still read
PARTS = (Source, LayoutSource, SegmentMethod, ColourMatch, TissueColours, Repair, ClassMap)
LENIENT = ("Source", "LayoutSource")  # later versions may say more of them
ASKED = {"description": "What is asked for."}
MORE_WORDS = {  # of classes whose docstring has no parameters
    "ColourMatch": {
        "how": "`gentle`, which moves the mean of the tissue, or `full`, which moves nuclei and "
        "the rest apart.",
        "tissue": "The colours that the image is matched to.",
        "drawn": "Nuclei keep their lightness relative to the rest. Always so if the layout has "
        "classes.",
    }
}
MARK = {"title": "array by value"}
ARRAY = {
    "title": "Array",
    "description": "An array by value, or by its hash alone where its pixels are withheld.",
    "type": "object",
    "properties": {
        "dtype": {"enum": sorted(DTYPES), "description": "NumPy's name of the type."},
        "shape": {
            "type": "array",
            "items": {"type": "integer", "minimum": 0},
            "description": "Length of each axis.",
        },
        "zlib": {
            "type": "string",
            "description": "Its bytes in C order, little-endian, compressed by zlib, in base64.",
        },
        "sha256": {
            "type": "string",
            "pattern": "^[0-9a-f]{64}$",
            "description": "Hash of these bytes, instead of `zlib`.",
        },
    },
    "required": ["dtype", "shape"],
    "oneOf": [{"required": ["zlib"]}, {"required": ["sha256"]}],
    "additionalProperties": False,
}


def _core_schema(*_: Any) -> core_schema.CoreSchema:
    return core_schema.any_schema(metadata={"pydantic_js_functions": [_marked]})


def _marked(_schema: Any, _handler: GetJsonSchemaHandler) -> dict[str, Any]:
    return dict(MARK)


def _with_references(schema: Any) -> Any:
    """Return a schema that refers to :data:`ARRAY`, which pydantic does not know."""
    if schema == MARK:
        return {"$ref": "#/$defs/PackedArray"}
    if isinstance(schema, dict):
        return {key: _with_references(part) for key, part in schema.items()}
    return [_with_references(part) for part in schema] if isinstance(schema, list) else schema


def request_schema() -> dict[str, Any]:
    """Return the JSON Schema of all requests."""
    PackedArray.__get_pydantic_core_schema__ = _core_schema  # type: ignore[attr-defined]
    definitions: dict[str, Any] = {"PackedArray": ARRAY}
    try:
        for kind, cls in KINDS.items():
            schema = _with_references(TypeAdapter(cls).json_schema())
            definitions |= schema.pop("$defs", {})
            names = [kind, EARLIER[kind]] if kind in EARLIER else [kind]
            schema["properties"] = {
                "kind": {"enum": names, "description": "What is asked for."}
            } | schema["properties"]
            schema["required"] = ["kind", *schema.get("required", ())]
            definitions[cls.__name__] = schema
    finally:
        del PackedArray.__get_pydantic_core_schema__  # type: ignore[attr-defined]
    for cls in (*KINDS.values(), *PARTS):
        _complete(definitions[cls.__name__], cls)
    definitions |= _of_several()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "napari-pixcell request",
        "oneOf": [
            {"$ref": f"#/$defs/{name}"}
            for name in (
                *(cls.__name__ for cls in KINDS.values()),
                "BatchRequest",
                "DatasetRequest",
            )
        ],
        "$defs": dict(sorted(definitions.items())),
    }


def _complete(schema: dict[str, Any], cls: type) -> None:
    """Add the words of the docstring, and refuse unknown keys where the reader does."""
    schema["description"] = summary(cls)
    schema["additionalProperties"] = cls.__name__ in LENIENT
    words = parameters(cls) | MORE_WORDS.get(cls.__name__, {})
    for name, part in schema["properties"].items():
        if words.get(name):
            part["description"] = words[name]


def _of_several() -> dict[str, Any]:
    """Return the schemas of requests that hold other requests or a recipe."""
    batch = {
        "kind": {"const": "batch"} | ASKED,
        "requests": {
            "type": "array",
            "items": {"$ref": "#/$defs/GenerateRequest"},
            "minItems": 1,
            "description": "Requests of one family. Their variants follow one another.",
        },
        "at_once": {
            "type": "integer",
            "minimum": 1,
            "maximum": LARGEST_PASS,
            "description": "Images in a pass of the networks.",
        },
    }
    dataset = {
        "kind": {"const": "dataset"} | ASKED,
        "folder": {"type": "string", "description": "Folder of the dataset."},
        "recipe": {
            "anyOf": [{"$ref": RECIPE}, {"type": "null"}],
            "description": "Recipe of a new dataset, or if its own is not on this machine.",
        },
        "most": {
            "anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}],
            "description": "Number of missing pairs to make, in order. By default all.",
        },
    }
    return {
        "BatchRequest": {
            "description": "Generate the variants of several requests, many in one pass.",
            "type": "object",
            "properties": batch,
            "required": list(batch),
            "additionalProperties": False,
        },
        "DatasetRequest": {
            "description": "Make a dataset, or the pairs that it lacks.",
            "type": "object",
            "properties": dataset,
            "required": ["kind", "folder"],
            "additionalProperties": False,
        },
    }


def as_text() -> str:
    """Return the schema as its file holds it."""
    return json.dumps(request_schema(), indent=1, ensure_ascii=False) + "\n"


def markdown() -> str:
    """Return the tables of requests and of their parts."""
    definitions = request_schema()["$defs"]
    titles = {cls.__name__: f"{kind.capitalize()} request" for kind, cls in KINDS.items()}
    titles |= {"BatchRequest": "Batch request", "DatasetRequest": "Dataset request"}
    titles |= {cls.__name__: _spaced(cls.__name__) for cls in PARTS} | {"PackedArray": "Array"}
    anchors = {
        name: f"[{title.lower()}](#{title.lower().replace(' ', '-')})"
        for name, title in titles.items()
    }
    anchors[RECIPE] = "[recipe](recipe.md)"
    parts = []
    for name, title in titles.items():
        schema = definitions[name]
        text = table(schema, {}, anchors)
        parts.append(f"## {title}\n\n{schema['description']}\n\n{text}\n")
    return "\n".join(parts)


def _spaced(name: str) -> str:
    return (
        "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)
        .strip()
        .capitalize()
    )


if __name__ == "__main__":
    if "--write" in sys.argv:
        FILE.write_text(as_text(), "utf-8")
    else:
        sys.stdout.write(markdown())
