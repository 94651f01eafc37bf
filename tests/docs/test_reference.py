"""Reference pages: generated from the code, complete, and with a schema that fits real requests."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doc_tools import DOCS, tool
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from napari_pixcell.cells.class_map import ClassMap
from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.engine.colour_match import ColourMatch
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.repair import Repair
from napari_pixcell.engine.request_values import (
    KINDS,
    BatchRequest,
    EmbedRequest,
    GenerateRequest,
    SegmentRequest,
    request_from_dict,
)
from napari_pixcell.engine.requests import (
    GenerationSettings,
    StartImage,
    generate_request,
    source_of,
)
from napari_pixcell.engine.tissue_colours import TissueColours
from napari_pixcell.engine.training.control.request import TrainControlRequest
from napari_pixcell.engine.training.request import TrainRequest
from napari_pixcell.errors import PixCellError
from napari_pixcell.evaluation.request import EvaluateRequest
from napari_pixcell.models.catalogue import DEMO
from napari_pixcell.preferences import FOREIGN, SETTINGS
from napari_pixcell.slides.region import Region
from napari_pixcell.verification.request import VerifyRequest

EARLIER = Path(__file__).parents[1] / "earlier" / "requests"
PIXELS = PackedArray.pack(np.full((256, 256, 3), 200, np.uint8))
CELLS = np.zeros((256, 256), np.uint32)
CELLS[100:120, 100:130] = 1
STYLE = np.ones((1, 128), np.float32)


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    recipe = json.loads((DOCS / "recipe.schema.json").read_text("utf-8"))
    registry = Registry().with_resource("recipe.schema.json", Resource.from_contents(recipe))
    value = json.loads((DOCS / "request.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(value)
    return Draft202012Validator(value, registry=registry)


def full_request() -> GenerateRequest:
    """Return a request with a value in every field."""
    return generate_request(
        DEMO,
        GenerationSettings(seed=7, count=2),
        size=(256, 512),
        embedding=np.ones((1, 2, 128), np.float32),
        layout=np.hstack([CELLS, CELLS]),
        source=source_of(
            "case A",
            Region(10, 20, 512, 256),
            0.5,
            layout=LayoutSource("painted"),
            style=[("Tumour", 0.7), ("Stroma", 0.3)],
        ),
        start=StartImage(
            image=PackedArray.pack(np.full((256, 512, 3), 200, np.uint8)),
            strength=0.5,
            part=PackedArray.pack(np.ones((256, 512), np.uint8)),
        ),
        colour_match=ColourMatch("full", TissueColours((60.0, 20.0, -10.0), (10.0, 5.0, 5.0))),
    )


REQUESTS = [
    full_request(),
    GenerateRequest("demo"),
    GenerateRequest(
        "mine",
        PackedArray.pack(STYLE),
        PackedArray.pack(CELLS),
        repair=Repair(),
        classes=ClassMap.of((("tumour", "#ff2020"), ("other", "#2060ff")), {1: "tumour"}),
    ),
    EmbedRequest("demo", PIXELS),
    SegmentRequest(PIXELS, 0.5),
    BatchRequest((GenerateRequest("demo", count=1), GenerateRequest("demo", seed=3)), 4),
    TrainRequest("mine", "demo", "he", "ihc", "out"),
    TrainControlRequest("mine", "demo", "pairs", "out", palette=(("tumour", "#ff2020"),)),
    DatasetRequest("out", DatasetRecipe(name="A", styles=({"from": "nothing"},)), 3),
    DatasetRequest("out"),
    EvaluateRequest("dataset", "labelled"),
    VerifyRequest("demo"),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda one: type(one).__name__)
def test_every_request_that_the_program_sends_fits_the_schema(schema, request_) -> None:
    value = json.loads(json.dumps(request_.to_dict()))
    assert [error.message for error in schema.iter_errors(value)] == []


@pytest.mark.parametrize("path", sorted(EARLIER.glob("*.json")), ids=lambda path: path.stem)
def test_requests_of_earlier_versions_fit_the_schema(schema, path: Path) -> None:
    assert schema.is_valid(json.loads(path.read_text("utf-8")))


def test_every_kind_of_request_is_in_the_schema(schema) -> None:
    kinds = set()
    for choice in schema.schema["oneOf"]:
        kind = schema.schema["$defs"][choice["$ref"].rpartition("/")[2]]["properties"]["kind"]
        kinds |= set(kind.get("enum", [kind.get("const")]))
    others = {one.kind for one in (DatasetRequest, EvaluateRequest, VerifyRequest)}
    assert kinds == {*KINDS, "batch"} | others


def _spoiled(change: dict[str, Any], *gone: str) -> dict[str, Any]:
    value = copy.deepcopy(full_request().to_dict()) | change
    return {key: part for key, part in value.items() if key not in gone}


@pytest.mark.parametrize(
    "value",
    [
        _spoiled({"sead": 1}),
        _spoiled({}, "family"),
        _spoiled({"kind": "bake"}),
        _spoiled({"size": [256]}),
        _spoiled({"layout": {"dtype": "uint8", "shape": [1, 1]}}),
        _spoiled({"steps": "many"}),
        {"kind": "batch", "requests": [], "at_once": 2},
    ],
    ids=["unknown key", "no family", "kind", "size", "array", "steps", "empty batch"],
)
def test_what_the_program_refuses_does_not_fit_the_schema(schema, value: dict[str, Any]) -> None:
    assert not schema.is_valid(value)
    with pytest.raises(PixCellError):
        request_from_dict(value)


def test_the_published_schema_is_that_of_the_requests() -> None:
    stored = (DOCS / "request.schema.json").read_text("utf-8")
    assert stored == tool("request_fields").as_text(), (
        "Run python docs/tools/request_fields.py --write"
    )


@pytest.mark.parametrize("name", ["request_fields", "recipe"])
def test_every_key_of_a_request_and_of_a_recipe_has_a_meaning(name: str) -> None:
    rows = re.findall(r"^\| `.*\|$", tool(name).markdown(), re.MULTILINE)
    lacking = [row for row in rows if re.search(r"\|\s*\|$", row)]
    assert len(rows) > 60 and lacking == []


def test_links_within_generated_pages_lead_to_headings() -> None:
    for name in ("request_fields", "recipe"):
        text = tool(name).markdown()
        headings = {
            title.lower().replace(" ", "-")
            for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        }
        wanted = set(re.findall(r"\]\(#([\w-]+)\)", text))
        assert len(wanted) > 5 and wanted <= headings, wanted - headings


def test_the_table_of_a_recipe_has_every_field() -> None:
    text = tool("recipe").markdown()
    for field in fields(DatasetRecipe):
        assert f"| `{field.name}` |" in text


def test_the_pages_of_settings_and_keys_list_them_all() -> None:
    text = tool("settings").markdown()
    for one in (*SETTINGS, *FOREIGN):
        assert f"`{one.variable or one.name}`" in text and one.meaning in text
    from napari_pixcell.ui.key_table import IN_REVIEW, NATIVE, ON_LAYOUT, TABLE

    text = tool("keys").markdown()
    for key in (*TABLE, *NATIVE, *ON_LAYOUT, *IN_REVIEW):
        assert key.words.partition(" (this and")[0] in text
        assert all(f"`{part}`" in text for part in key.shown.split() if part != "–")


@pytest.mark.parametrize("name", ["settings", "keys", "recipe", "requests"])
def test_each_generated_page_names_a_generator_that_exists(name: str) -> None:
    text = (DOCS / "reference" / f"{name}.md").read_text("utf-8")
    (generator,) = re.findall(r"^<!-- generated by (\w+)\.py -->$", text, re.MULTILINE)
    made = tool(generator).markdown()
    assert made.count("\n| --- ") >= 1 and not made.startswith("# ")


def test_the_page_of_formats_names_every_key_and_format() -> None:
    from napari_pixcell.cells.ihc.table import NUCLEI_COLUMNS
    from napari_pixcell.cells.writing import FORMATS as LAYOUTS
    from napari_pixcell.datasets.formats import FORMATS
    from napari_pixcell.engine.record import Record
    from napari_pixcell.studio.saving.document import KINDS as SESSION

    text = (DOCS / "reference" / "formats.md").read_text("utf-8")
    record = Record(GenerateRequest("demo", count=1)).to_dict()
    names = {*record, *(field.name for field in fields(Record)), *SESSION, *NUCLEI_COLUMNS}
    assert sorted(name for name in names | set(FORMATS) if f"`{name}`" not in text) == []
    assert all(f"x{ending}`" in text for ending in LAYOUTS)


def test_the_page_of_formats_names_every_key_of_a_real_dataset() -> None:
    text = (DOCS / "reference" / "formats.md").read_text("utf-8")
    folder = EARLIER.parent / "dataset"
    first = (folder / "manifest.jsonl").read_text("utf-8").splitlines()[0]
    keys = {*json.loads(first), *json.loads((folder / "dataset.json").read_text("utf-8"))}
    assert sorted(key for key in keys if f"`{key}`" not in text) == []
    assert all(f"`{path.name}" in text for path in folder.iterdir())
