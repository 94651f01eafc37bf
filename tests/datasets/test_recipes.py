"""Recipes of datasets: what is accepted, what is refused and in which words, the JSON Schema."""

from __future__ import annotations

import copy
import json
import os
import random
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_engine import DrawnEngine, drawn_recipe
from PIL import Image

from napari_pixcell.cells import write_labels
from napari_pixcell.datasets.recipe.making import make_dataset
from napari_pixcell.datasets.recipe.preparing import count_pairs
from napari_pixcell.datasets.recipe.recipe import KEY, DatasetRecipe, recipe_schema
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.store.checks import Checks
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.repair import Repair
from napari_pixcell.engine.styles.features.writing import write_features
from napari_pixcell.engine.tissue_colours import TissueColours
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import DEMO
from napari_pixcell.serialization import from_json, to_json
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.samples import SAMPLE_SLIDE

DOCS = Path(__file__).parents[2] / "docs"
EMBEDDING = PackedArray.pack(np.ones((1, 1, 128), np.float32)).to_dict()
CELLS = np.zeros((256, 256), np.uint32)
CELLS[100:120, 100:130] = 1
LABELS = PackedArray.pack(CELLS).to_dict()
NOTHING, LAYOUT = {"from": "nothing"}, {"from": "labels", "labels": LABELS}
REGION = {"from": "region", "slide": str(SAMPLE_SLIDE), "region": [400, 400, 512, 256]}
INVENT = {"from": "invent", "recipe": {"density": 4000}, "count": 2}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIXCELL_DATA_DIR", str(tmp_path / "user"))


def recipe(**changes: Any) -> dict[str, Any]:
    return {KEY: 1, "name": "R", "styles": [NOTHING], "layouts": [LAYOUT], **changes}


def style(kind: str, **keys: Any) -> dict[str, Any]:
    return recipe(styles=[{"from": kind, **keys}])


def layout(kind: str, **keys: Any) -> dict[str, Any]:
    return recipe(layouts=[{"from": kind, **keys}])


def region(*box: Any) -> dict[str, Any]:
    return recipe(styles=[REGION | {"region": list(box)}])


def nested(levels: int) -> dict[str, Any]:
    inner: dict[str, Any] = NOTHING
    for _ in range(levels):
        inner = {"from": "blend", "styles": [inner]}
    return recipe(styles=[inner])


def array(**changes: Any) -> dict[str, Any]:
    return layout("labels", labels=LABELS | changes)


REFUSED: list[tuple[Any, str]] = [
    (recipe(steps="20x"), "“steps” is “20x”. Use a whole number from 1 to 1,000."),
    (recipe(steps=0), "“steps” is 0. Use"),
    (recipe(steps=10**9), "“steps” is 1000000000. Use"),
    (recipe(seeds="2"), "“seeds” is the text “2”. Use a whole number from 1 to 100,000."),
    (recipe(seeds=True), "“seeds” is true. Use"),
    (recipe(first_seed=1.5), "“first_seed” is 1.5. Use a whole number"),
    (recipe(first_seed=2**32), "“first_seed” is 4294967296. Use"),
    (recipe(pairs=10**30), "“pairs” is 10000"),
    (recipe(guidance=float("inf")), "“guidance” is inf. Use a number from 0 to 50."),
    (recipe(layout_until=5), "“layout_until” is 5. Use a number from 0 to 1."),
    (recipe(layout_strength=-3), "“layout_strength” is -3. Use"),
    (
        recipe(preset=[1, 2]),
        "“preset” is [1, 2]. Choose one of: exact, balanced, quick, published.",
    ),
    (recipe(colour_match="loud"), "“colour_match” is “loud”. Choose one of: off, gentle, full."),
    (
        style("embedding", embedding=EMBEDDING, colours={"mean": [1, 2], "std": [1, 1, 1]}),
        "“mean” of “colours” of style 1 is [1, 2]. Use three numbers.",
    ),
    (
        style("embedding", embedding=EMBEDDING, colours={"mean": [1, 2, 999], "std": [1, 1, 1]}),
        "“colours” of style 1 does not fit. The tissue colours of a style are damaged.",
    ),
    (
        style("embedding", embedding=EMBEDDING, colours={"men": [1, 2, 3], "std": [1, 1, 1]}),
        "“colours” of style 1 has no “men”. Did you mean “mean”?",
    ),
    (recipe(picture="jpg"), "“picture” is “jpg”. Choose one of: png, tiff."),
    (recipe(pairing="?"), "“pairing” is “?”. Choose one of: each, random, matched."),
    (recipe(keep="3"), "“keep” is the text “3”. Use “best of 3”, with a number from 2 to 20, or n"),
    (recipe(keep="best of 1"), "“keep” is “best of 1”. Use “best of 3”, with"),
    (recipe(keep="best of 21"), "“keep” is “best of 21”. Use"),
    (recipe(keep="best of 03"), "“keep” is “best of 03”. Use"),
    (recipe(keep="Best of 3\n"), "“keep” is “Best of 3"),
    (recipe(keep=3), "“keep” is 3. Use “best of 3”"),
    (recipe(family="nope"), "There is no family “nope”. Choose one of: demo"),
    (recipe(family=["demo"]), "“family” is [“demo”]. Use text"),
    (recipe(family="a" * 1000), "a…"),
    (recipe(name=None), "“name” is null. Use text"),
    (recipe(name=" \t"), "“name” is “"),
    (recipe(name=""), "“name” is empty text. Use text"),
    (recipe(name="\ud800"), "“name” is “"),
    ({KEY: 1}, "The recipe lacks “name”. Add it."),
    (recipe(style=[]), "The recipe has no “style”. Did you mean “styles”?"),
    (recipe(zzz=1), "The recipe has no “zzz”. Choose from: checks, colour_match, drop_wrong,"),
    (recipe(styles=3), "“styles” is 3. Use a list."),
    (recipe(layouts="abc"), "“layouts” is “abc”. Use a list."),
    (recipe(styles=["a"]), "Style 1 is “a”. Write it as an object, {…}."),
    (recipe(styles=[{"slide": "a"}]), "Style 1 lacks “from”. Add it."),
    (recipe(styles=[NOTHING, {"from": "air"}]), "Style 2 cannot be from “air”. Choose one of: re"),
    (style(["slide"]), "Style 1 cannot be from [“slide”]. Choose one of"),
    (style("slide"), "Style 1 lacks “slide”. Add it."),
    (style("slide", slide="a.svs", most="abc"), "“most” of style 1 is “abc”. Use a whole number"),
    (style("slide", slide="a.svs", mpp=0), "“mpp” of style 1 is 0. Use a number from 0.05 to 10."),
    (style("slide", slide="a\nb"), "“slide” of style 1 is “a�b”. Use text"),
    (style("slide", slide="a" * 5000), "“slide” of style 1 is “aaa"),
    (style("slide", slide="a.svs", group=["a"]), "“group” of style 1 is [“a”]. Use text"),
    (
        style("region", slide="a.svs", region="1,2,3,4"),
        "“region” of style 1 is “1,2,3,4”. Use four",
    ),
    (region(1, 2, 3), "“region” of style 1 is [1, 2, 3]. Use four numbers"),
    (region(0, 0, 256, float("inf")), "“region” of style 1 is [0, 0, 256, inf]. Use four"),
    (region(0, 0, 256, 0), "is [0, 0, 256, 0]. Use a width and height above 0"),
    (region(0, 0, 1e10, 1e10), "Use a width and height above 0, on the slide."),
    (region(1e6, 1e6, 300, 300), "1e+06, 300, 300 reaches beyond “sample_slide”, which is"),
    (region(0, 0, 1e9, 1e9), "reaches beyond “sample_slide”, which is 1984 × 1984 px. Move it"),
    (style("blend", styles=["a", "b"]), "Style 2 of style 1 is “b”. Write it as an object"),
    (style("blend", styles=[]), "“styles” of style 1 is []. Add at least one."),
    (
        style("blend", styles=[NOTHING] * 2, shares=[-1, 1]),
        "“shares” of style 1 is [-1, 1]. Use nu",
    ),
    (style("blend", styles=[NOTHING] * 2, shares=[0, 0]), "Use at least one share above 0."),
    (style("library", name=5), "“name” of style 1 is 5. Use text"),
    (style("features"), "Style 1 lacks “file”. Add it."),
    (style("features", file="a.h5", most=0), "“most” of style 1 is 0. Use a whole number from 1"),
    (style("features", file="a.h5", sed=1), "Style 1 has no “sed”. Did you mean “seed”?"),
    (style("features", file="none.h5"), "“none.h5” does not exist"),
    (style("features", file="."), "There are no files of features in the folder"),
    (style("embedding", embedding={"a": 1}), "“embedding” of style 1 lacks “dtype”. Add it."),
    (style("embedding", embedding=EMBEDDING | {"dtype": "O"}), "is “O”. Choose one of: float32"),
    (
        style("embedding", embedding=EMBEDDING, pixels=LABELS | {"dtype": "uint8"}),
        "“shape” of “pixels” of style 1 is [256, 256]. Use 3 whole numbers",
    ),
    (
        style("embedding", embedding=EMBEDDING, pixels=EMBEDDING | {"dtype": "uint8"}),
        "“pixels” of style 1 does not fit. Its last axis is not red, green and blue.",
    ),
    (array(shape=[10**6, 10**6]), "An array of 1000000 × 1000000 values is too large"),
    (array(shape=[-1, 256]), "“shape” of “labels” of layout 1 is [-1, 256]. Use 2 whole"),
    (array(zlib="eJwDAAAAAAE="), "The array “labels” in the recipe is damaged"),
    (
        layout("labels", labels=PackedArray.pack(-CELLS.astype(np.int32)).to_dict()),
        "Layout 1 of the recipe has labels below 0",
    ),
    (layout("labels", labels=[[1]]), "“labels” of layout 1 is [[1]]. Write it as an object"),
    (layout("labels", labels=LABELS, made={"method": 5}), "Its “method” is not text"),
    (layout("file", path=5), "“path” of layout 1 is 5. Use text"),
    (layout("file", path="~nobodyxyz/a.tif"), "“a.tif” does not exist"),
    (layout("file", path="none.tif"), "“none.tif” does not exist"),
    (layout("file", path="pipe"), "“pipe” is a pipe or a device, not a file"),
    (layout("folder", path="n" * 300), "does not exist. Check the recipe's path."),
    (
        layout("file", path="c.tif", slide=str(SAMPLE_SLIDE), region=[0, 0, 9999, 9]),
        "The region 0, 0, 9999, 9 reaches beyond",
    ),
    (layout("file", path="c.tif", mpp=10), "px, too large for memory. Check “mpp”"),
    (layout("invent", recipe="a"), "“recipe” of layout 1 is “a”. Write it as an object"),
    (
        layout("invent", recipe={"densty": 1}),
        "“recipe” of layout 1 has no “densty”. Did you mean “d",
    ),
    (
        layout("invent", recipe={"density": 1e9}),
        "“density” of “recipe” of layout 1 is 1000000000.0",
    ),
    (layout("invent", recipe={"classes": [["a", -1]]}), "Use a name and a share of 0 or more"),
    (layout("invent", recipe={"classes": {"a": 0}}), "Each class needs a name and a share"),
    (layout("invent", recipe={}, cuont=3), "Layout 1 has no “cuont”. Did you mean “count”?"),
    (layout("invent", recipe={}, count=0), "“count” of layout 1 is 0. Use a whole number from 1"),
    (layout("vary", layout=INVENT, jitter_um="a"), "“jitter_um” of layout 1 is “a”. Use a number"),
    (layout("vary", layout=INVENT, jitter_um=1e9), "“jitter_um” of layout 1 is 1000000000.0. Use"),
    (layout("vary", layout={**INVENT, "count": True}), "“count” of “layout” of layout 1 is true."),
    (
        layout("vary", layout={**INVENT, "count": 1000}, count=1000, drop=0.1),
        "It makes more than 100,000 layouts out of one. Use smaller counts.",
    ),
    (recipe(checks=[1]), "“checks” is [1]. Write it as an object"),
    (recipe(checks={"least": 1}), "“checks” has no “least”. Did you mean “least_"),
    (recipe(checks={"least_kappa": "a"}), "“least_kappa” of “checks” is “a”. Use a number."),
    (recipe(repair=3), "“repair” is 3. Write it as an object"),
    (recipe(repair={"round": 3}), "“repair” has no “round”. Did you mean “rounds”?"),
    (recipe(repair={"rounds": 99}), "The number of repair rounds is 99. Choose one from 0 to 20."),
    (recipe(repair={"method": {"models": "5"}}), "“method” of “repair” has no “models”."),
    (recipe(drop_wrong="yes"), "“drop_wrong” is “yes”. Use true or false."),
    (recipe(checks={"segmenter": 5}), "“segmenter” of “checks” is 5. Write it as an object"),
    (recipe(checks={"segmenter": {"method": "x"}}), "“x” is not a segmentation method"),
    (
        recipe(checks={"segmenter": {"model": 5}}),
        "“model” of “segmenter” of “checks” is 5. Use text",
    ),
    (recipe(checks={"segmenter": {"models": "5"}}), "“segmenter” of “checks” has no “models”."),
    (nested(300), "It is nested too deeply. Use fewer levels."),
    (recipe(pairing="matched"), "no style has tissue. Choose another pairing"),
    (recipe(styles=[]), "The dataset has no style. Add"),
    ([], "It must begin with “napari-pixcell dataset recipe”: 1."),
    ({KEY: True, "name": "R"}, "It must begin with"),
    ("text", "It must begin with"),
]


@pytest.mark.parametrize(("value", "sentence"), REFUSED, ids=[text for _, text in REFUSED])
def test_a_wrong_value_is_named_in_one_sentence(value: Any, sentence: str, tmp_path: Path) -> None:
    if "pipe" in sentence:
        os.mkfifo("pipe")
    if "c.tif" in str(value):
        write_labels(Path("c.tif"), np.tile(CELLS.astype(np.int32), (4, 4)), 0.5)
    with pytest.raises(PixCellError) as refused:
        count_pairs(DatasetRecipe.from_dict(value))
    text = str(refused.value)
    assert sentence in text and text.count("\n") <= 4 and len(text) < 1000
    assert not (tmp_path / "data").exists()


def test_all_wrong_values_are_named_at_once() -> None:
    value = recipe(steps="x", seeds=0, guidance="y", picture=5, pairs="z", nmae="R")
    with pytest.raises(PixCellError) as refused:
        DatasetRecipe.from_dict(value)
    lines = str(refused.value).splitlines()
    assert len(lines) == 5 and all(line.startswith("“") for line in lines[:4])
    assert lines[4] == "Correct these first. 2 more of its values do not fit."


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "“recipe.json” is not valid JSON"),
        ('{"a": NaN}', "NaN is not a number"),
        ('{"a": ' + "1" * 5000 + "}", "“recipe.json” is not valid JSON"),
        ("[" * 100_000, "is nested too deeply. Correct the recipe"),
        ("\xff", "It must begin with|is not valid JSON"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(text: str, sentence: str) -> None:
    Path("recipe.json").write_text(text, "latin-1")
    with pytest.raises(PixCellError, match=sentence):
        DatasetRecipe.load("recipe.json")


def test_a_missing_recipe_is_named() -> None:
    with pytest.raises(PixCellError, match=r"“none.json” does not exist"):
        DatasetRecipe.load("none.json")


def test_recipes_are_read_back_unchanged(tmp_path: Path) -> None:
    made = DatasetRecipe(
        "R",
        styles=({"from": "blend", "styles": [{"from": "picture", "path": "a.png"}]},),
        layouts=({"from": "vary", "layout": {"from": "file", "path": "~/b.tif"}},),
        checks=Checks(least_dice=0.7),
        keep="best of 20",
        repair=Repair(2, 30.0),
        drop_wrong=True,
    )
    assert made.candidates == 20 and replace(made, keep=None).candidates == 1
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(made.to_dict() | {"$schema": "recipe.schema.json"}), "utf-8-sig")
    loaded = DatasetRecipe.load(path)
    assert loaded.checks.least_dice == 0.7
    assert loaded.styles[0]["styles"][0]["path"] == str(tmp_path / "a.png")
    assert loaded.layouts[0]["layout"]["path"] == str(Path("~/b.tif").expanduser())
    assert DatasetRecipe.from_dict(loaded.to_dict()) == loaded
    assert replace(loaded, seeds=2).seeds == 2


def test_a_recipe_takes_all_that_is_known_of_the_colours_of_a_style() -> None:
    colours = TissueColours((60, 20, -8), (15, 6, 4), 0.75, ((45, 18, -20), (70, 15, -6)))
    assert all(getattr(colours, one.name) != one.default for one in fields(colours))
    part = {"from": "embedding", "embedding": EMBEDDING, "colours": to_json(colours)}
    made = DatasetRecipe("R", "demo", (part,))
    assert from_json(TissueColours, made.styles[0]["colours"], "{detail}") == colours
    with pytest.raises(PixCellError, match=r"“colours” of style 1 has no “class”\. Did you mean"):
        DatasetRecipe("R", "demo", (part | {"colours": to_json(colours) | {"class": 1}},))
    with pytest.raises(PixCellError, match=r"“seeds” is 0\. "):
        DatasetRecipe("R", "demo", (part,), (), "each", 0)


def test_null_counts_as_not_given() -> None:
    value = recipe(styles=[REGION | {"mpp": None, "name": None}], checks=None, pairs=None)
    assert DatasetRecipe.from_dict(value).styles == (REGION,)


def test_layouts_are_counted_without_inventing_all_of_them() -> None:
    many = recipe(layouts=[INVENT | {"count": 20_000}])
    assert count_pairs(DatasetRecipe.from_dict(many)) == 20_000
    varied = {"from": "vary", "layout": INVENT, "count": 10_000, "drop": 0.5}
    assert count_pairs(DatasetRecipe.from_dict(recipe(layouts=[varied]))) == 20_000


def test_a_tile_without_cells_does_not_fail_its_layout() -> None:
    write_labels(Path("c.tif"), np.hstack([CELLS, 0 * CELLS, CELLS]).astype(np.int32), 0.5)
    assert count_pairs(DatasetRecipe.from_dict(layout("file", path="c.tif"))) == 2


@pytest.mark.parametrize("bad", ["style", "layout"])
def test_nothing_is_written_if_the_last_source_is_missing(bad: str, tmp_path: Path) -> None:
    value = drawn_recipe()
    missing = {"from": "picture" if bad == "style" else "file", "path": "none.png"}
    changed = replace(value, **{f"{bad}s": (*getattr(value, f"{bad}s"), missing)})
    engine = DrawnEngine()
    with pytest.raises(PixCellError, match=r"“none.png” does not exist"):
        make_dataset(DatasetRequest(str(tmp_path / "data"), changed), engine.run, lambda _: None)
    assert not list(tmp_path.iterdir()) and not engine.asked


@pytest.mark.parametrize(
    ("refused", "sentence"),
    [
        (12, "No pair was made: 3 pairs failed. The first: This seed is refused"),
        (2, "No pair was made: 2 pairs failed. The first: This seed is refused"),
    ],
)
def test_a_run_without_a_pair_fails(refused: int, sentence: str, tmp_path: Path) -> None:
    engine = DrawnEngine()
    engine.refuses = set(range(1234, 1234 + refused))
    value = drawn_recipe() if refused > 2 else drawn_recipe(pairing="random", pairs=2)
    with pytest.raises(PixCellError, match=sentence):
        make_dataset(DatasetRequest(str(tmp_path / "data"), value), engine.run, lambda _: None)


def test_a_run_stops_when_pairs_keep_failing(tmp_path: Path) -> None:
    engine = DrawnEngine()
    engine.refuses = set(range(1236, 1246))
    with pytest.raises(PixCellError, match=r"3 pairs in a row failed, after 2 new pairs. The last"):
        make_dataset(
            DatasetRequest(str(tmp_path / "data"), drawn_recipe()), engine.run, lambda _: None
        )


def test_the_published_schema_is_that_of_the_recipe() -> None:
    assert json.loads((DOCS / "recipe.schema.json").read_text("utf-8")) == recipe_schema()


def test_recipes_in_the_documentation_are_valid() -> None:
    text = "\n".join(page.read_text("utf-8") for page in sorted(DOCS.rglob("*.md")))
    examples = [block.split("```")[0] for block in text.split("```json")[1:]]
    recipes = [json.loads(example) for example in examples if KEY in example]
    assert recipes and all(DatasetRecipe.from_dict(one) for one in recipes)


# -- damage ------------------------------------------------------------------------------------

WRONG = [None, True, -1, 0, 1.5, 1e308, 2**63, float("nan"), "", "x", "5", "a\0b", "/dev/zero"]
WRONG += [[], {}, [1], {"a": 1}, [[[]]], {"from": ["x"]}, [0, 0, 1e9, 1e9], "a" * 5000, "~nobody/x"]


def paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in inner:
        yield (*at, key)
        if isinstance(part, dict | list):
            yield from paths(part, (*at, key))


def whole_recipe() -> dict[str, Any]:
    pictures = {"path": "p.png", "mpp": 0.5}
    return recipe(
        styles=[
            REGION | {"mpp": 0.5, "name": "A", "group": "g"},
            {"from": "picture", **pictures},
            {
                "from": "blend",
                "styles": [NOTHING, {"from": "picture", **pictures}],
                "shares": [1, 2],
            },
            {"from": "embedding", "embedding": EMBEDDING, "source": {"region": [0, 0, 9, 9]}},
            {"from": "features", "file": "f.h5", "most": 2, "seed": 1, "group": "g"},
        ],
        layouts=[
            {"from": "file", "path": "c.tif", "mpp": 0.5},
            {"from": "invent", "recipe": {"density": 4000, "classes": [["a", 1]]}, "count": 1},
            {"from": "vary", "layout": LAYOUT | {"made": {"method": "painted"}}, "drop": 0.1},
        ],
        **{"pairing": "each", "seeds": 1, "first_seed": 1, "pairs": None, "steps": 2},
        **{"guidance": 1.5, "layout_strength": 1.0, "layout_until": 1.0, "preset": "exact"},
        checks={"least_kappa": 0.4, "segmenter": {"method": "builtin", "sensitivity": 0.0}},
    )


def damaged(value: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    value = copy.deepcopy(value)
    *way, last = rng.choice(list(paths(value)))
    holder: Any = value
    for key in way:
        holder = holder[key]
    match rng.randrange(8):
        case 0:
            del holder[last]
        case 1 if isinstance(holder, dict):
            holder[last[:-1] + "q"] = holder.pop(last)
        case _:
            holder[last] = rng.choice(WRONG)
    return value


def test_damaged_recipes_are_accepted_or_refused_in_words() -> None:
    Image.new("RGB", (256, 256), (200, 120, 170)).save("p.png")
    write_labels(Path("c.tif"), CELLS.astype(np.int32), 0.5)
    grid = np.ones((1, 2, 128), np.float32)
    write_features(Path("f.h5"), grid, Region(0, 0, 512, 256), ((256, 512), 0.5), DEMO)
    value, rng, refused = whole_recipe(), random.Random(17), 0
    assert count_pairs(DatasetRecipe.from_dict(value)) > 4
    for _ in range(100):
        try:
            read = DatasetRecipe.from_dict(damaged(value, rng))
            assert DatasetRecipe.from_dict(json.loads(json.dumps(read.to_dict()))) == read
            count_pairs(read)
        except PixCellError as error:
            refused += 1
            assert str(error).count("\n") <= 4 and "Use another value" not in str(error)
    assert refused > 75
