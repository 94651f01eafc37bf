"""What the version before wrote still opens: sessions, datasets, records, recipes, settings.

The files beside this one say in README.md how they were made. They are copied before anything is
done with them. Pixels may differ by 1 of 255 on a machine with other instructions.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from napari_pixcell.cli.main import main
from napari_pixcell.models.families import encoder_of
from napari_pixcell.slides.samples import SAMPLE_SLIDE

HERE = Path(__file__).parent
FORMAT_OF = "napari-pixcell"  # key of the record in a PNG
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command; give what it says, with its exit code."""

    def run(*arguments: object) -> dict[str, Any]:
        capsys.readouterr()
        code = main([*map(str, arguments), "--json"])
        return json.loads(capsys.readouterr().out) | {"code": code}

    return run


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[str], Path]:
    """Copy a file or folder of the version before."""

    def copy(name: str) -> Path:
        source, target = HERE / name, tmp_path / "earlier" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
        return target

    return copy


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    """The bundled slide, where the files of the version before have it: beside them."""
    found = hashlib.sha256(SAMPLE_SLIDE.read_bytes()).hexdigest()
    assert found == read("session-expected.json")["slide sha256"], "it is another sample slide"
    path = tmp_path / "earlier" / "sample_slide.ome.tif"
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(SAMPLE_SLIDE, path)
    return path


@pytest.fixture
def config(copy: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration folder of the version before, with the weights of its stain.

    It asks for compilation, which is left out here: it takes long, and changes last digits.
    """
    monkeypatch.setenv("PIXCELL_COMPILE", "0")
    folder, stain = Path(os.environ["PIXCELL_CONFIG_DIR"]), copy("stain")
    shutil.copytree(HERE / "config", folder, dirs_exist_ok=True)
    toml = folder / "families" / "old-her2.toml"
    toml.write_text(toml.read_text("utf-8").replace("FOLDER", stain.as_posix()), "utf-8")
    return folder


def read(name: str) -> Any:
    return json.loads((HERE / name).read_text("utf-8"))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(int)


def same_pixels(path: Path, other: Path) -> None:
    first, second = pixels(path), pixels(other)
    assert first.shape == second.shape
    assert np.abs(first - second).max() <= 1


def holds(new: Any, old: Any, where: str = "") -> None:
    """See that everything in a JSON value is in another; that may have more keys."""
    if isinstance(old, dict):
        assert isinstance(new, dict), where
        for key, value in old.items():
            assert key in new, f"{where}/{key}"
            holds(new[key], value, f"{where}/{key}")
    elif isinstance(old, list):
        assert isinstance(new, list | tuple) and len(new) == len(old), where
        for place, (one, other) in enumerate(zip(new, old, strict=True)):
            holds(one, other, f"{where}/{place}")
    else:
        assert new == old, where


# -- records ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "image",
    [
        "variant/images/case_A-seed11.png",  # a tile, with a layout and a blend of styles
        "canvas/images/case_A-seed12.png",  # larger than a tile, in a part of another picture
        "dataset/images/000001.png",
    ],
)
def test_a_record_of_the_version_before_is_reproduced_with_the_same_pixels(
    run: Run, copy: Callable[[str], Path], tmp_path: Path, image: str
) -> None:
    path = copy(image)
    made = run("rerun", path, "--out", tmp_path / "again")
    assert made["code"] == 0, made
    same_pixels(path, tmp_path / "again" / made["images"][0])


def test_a_record_as_json_is_reproduced_with_its_mask(
    run: Run, copy: Callable[[str], Path], tmp_path: Path
) -> None:
    made = run("rerun", copy("variant-record.json"), "--out", tmp_path / "again")
    assert made["code"] == 0, made
    assert made["seeds"] == [11]
    same_pixels(HERE / "variant/images/case_A-seed11.png", tmp_path / "again" / made["images"][0])
    again, before = (
        lines(folder / "manifest.jsonl")[0]["record"]
        for folder in (tmp_path / "again", HERE / "variant")
    )
    holds(again["request"], before["request"])
    assert again["weights"] == before["weights"]
    mask = pixels(tmp_path / "again" / made["masks"][0])
    np.testing.assert_array_equal(mask, pixels(HERE / "variant/masks/case_A-seed11.tif"))


def test_an_export_goes_on_in_a_folder_of_the_version_before(
    run: Run, copy: Callable[[str], Path], slide: Path
) -> None:
    folder = copy("variant")
    before = (folder / "manifest.jsonl").read_bytes()
    place = ("--region", "896,64,256,256", "--count", 1, "--steps", 1, "--name", "case A")
    made = run("generate", slide, *place, "--seed", 11, "--out", folder)
    assert made["code"] == 0 and made["images"] == ["images/case_A-seed11-2.png"]
    assert (folder / "manifest.jsonl").read_bytes().startswith(before)
    assert len(lines(folder / "manifest.jsonl")) == 2


# -- datasets --------------------------------------------------------------------------------


def test_a_dataset_of_the_version_before_is_checked_and_resumed(
    run: Run, copy: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = copy("dataset")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    found = run("dataset", "check", folder)
    assert (found["code"], found["pairs"], found["planned"]) == (3, 2, 4)
    assert found["counts"] == {"planned": 2}  # nothing else is the matter

    assert run("dataset", "resume", folder, "--first", 1)["pairs"] == 3
    made = run("dataset", "resume", folder)
    assert (made["code"], made["pairs"], made["planned"]) == (0, 4, 4)
    found = run("dataset", "check", folder)
    assert (found["code"], found["whole"]) == (0, True), found
    for path, data in before.items():
        if path.name == "manifest.jsonl":
            assert path.read_bytes().startswith(data)
        elif path.name != "dataset.json":
            assert path.read_bytes() == data, path
    rows = lines(folder / "manifest.jsonl")
    assert [row["index"] for row in rows] == [0, 1, 2, 3]
    assert [row["seed"] for row in rows] == [40, 41, 42, 43]
    assert sorted((row["style"], row["layout"]) for row in rows) == [(0, 0), (0, 1), (1, 0), (1, 1)]

    out = tmp_path / "coco"
    used = run("dataset", "convert", folder, "--format", "coco", "--out", out)
    flagged = sum(bool(row["flags"]) for row in rows[1:])
    assert used["code"] == 0 and used["not used"] == 1 + flagged  # the decision still counts
    assert sum(used["pairs"].values()) == 3 - flagged
    assert run("dataset", "report", folder)["code"] == 0


def test_a_recipe_of_the_version_before_makes_the_same_pairs(
    run: Run, copy: Callable[[str], Path], slide: Path, config: Path, tmp_path: Path
) -> None:
    recipe = copy("recipe.json")
    copy("cells.tif")
    assert run("dataset", "make", recipe, "--count")["pairs"] == 4
    out = tmp_path / "again"
    made = run("dataset", "make", recipe, "--out", out, "--first", 2)
    assert (made["code"], made["pairs"], made["planned"]) == (0, 2, 4), made
    rows, before = (lines(folder / "manifest.jsonl") for folder in (out, HERE / "dataset"))
    for row, other in zip(rows, before, strict=True):
        for name in ("index", "style", "layout", "seed", "cells", "mask", "image", "flags"):
            assert row[name] == other[name], name
        same_pixels(out / row["image"], HERE / "dataset" / other["image"])
        np.testing.assert_array_equal(
            pixels(out / row["mask"]), pixels(HERE / "dataset" / other["mask"])
        )
    new, old = (json.loads((f / "dataset.json").read_text()) for f in (out, HERE / "dataset"))
    for name in ("name", "family", "settings", "checks", "plan", "weights", "picture", "size"):
        holds(new[name], old[name], name)
    names = [[row["name"] for row in lines(f / "layouts.jsonl")] for f in (out, HERE / "dataset")]
    assert names[0] == names[1]


# -- what lies in the configuration folder ---------------------------------------------------


def test_a_saved_style_of_the_version_before_is_used(
    run: Run, slide: Path, config: Path, tmp_path: Path
) -> None:
    (file,) = (config / "styles").iterdir()
    (style,) = run("styles", "list")["styles"]
    assert (style["name"], style["id"], style["family"]) == ("Pale stroma", file.stem, "demo")
    assert style["shape"] == [1, 1, 128]
    place = ("--region", "300,300,256,256", "--count", 1, "--steps", 1)
    made = run("generate", slide, *place, "--style", "pale STROMA", "--out", tmp_path / "out")
    assert made["code"] == 0, made
    (row,) = lines(tmp_path / "out" / "manifest.jsonl")
    assert row["record"]["request"]["source"]["style"] == [["Pale stroma", 1.0]]
    assert run("styles", "rename", "Pale stroma", "Stroma")["name"] == "Stroma"
    assert [path.name for path in (config / "styles").iterdir()] == [file.name]


def test_own_family_of_the_version_before_stains_as_it_did(
    run: Run, config: Path, copy: Callable[[str], Path], tmp_path: Path
) -> None:
    (family,) = [one for one in run("models", "list")["families"] if one["name"] == "old-her2"]
    assert family["installed"] and family["title"] == "Virtual old-her2"
    again = run("rerun", copy("stained-record.json"), "--out", tmp_path / "again")
    assert again["code"] == 0, again
    image = pixels(tmp_path / "again" / again["images"][0])
    eighth = image.reshape(32, 8, 32, 8, 3).mean((1, 3))
    assert np.abs(eighth - pixels(HERE / "stained-eighth.png")).max() <= 1.5


def test_preferences_of_the_version_before_hold(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_pixcell.preferences import (
        compile_wanted,
        idle_minutes,
        preference,
        sessions_wanted,
        set_idle_minutes,
    )

    before = read("config/preferences.json")
    for name, value in before.items():
        assert preference(name) == value, name
    monkeypatch.delenv("PIXCELL_COMPILE")
    assert idle_minutes() == 7.5 and compile_wanted()
    monkeypatch.delenv("PIXCELL_SESSIONS", raising=False)
    assert not sessions_wanted()
    set_idle_minutes(3)
    path = config / "preferences.json"
    assert json.loads(path.read_text("utf-8")) == before | {"idle minutes": 3}


# -- requests --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["teach", "embed", "segment", "generate", "dataset"])
def test_requests_of_the_version_before_are_read(name: str) -> None:
    from napari_pixcell.datasets.recipe.request import DatasetRequest
    from napari_pixcell.engine.request_values import request_from_dict

    value = read(f"requests/{name}.json")
    assert value["kind"] == name
    request = DatasetRequest.from_dict(value) if name == "dataset" else request_from_dict(value)
    kind = {"teach": "train"}.get(name, name)  # today's word
    holds(json.loads(json.dumps(request.to_dict())), value | {"kind": kind})


# -- sessions --------------------------------------------------------------------------------


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Any]]:
    """Start a studio that saves, with a worker that does nothing by itself."""
    from scripted import ScriptedClient

    from napari_pixcell.studio.session import Session

    monkeypatch.setenv("PIXCELL_SESSIONS", "1")
    sessions = []

    def make() -> Any:
        session = Session(ScriptedClient())
        sessions.append(session)
        session.saver.start()
        return session

    yield make
    for session in sessions:
        session.close()


def opened(start: Callable[[], Any], folder: Path) -> Any:
    session = start()
    session.restoring.open(folder)
    settled(session)
    assert not session.notices.problems
    return session


def settled(session: Any) -> None:
    session.wait(60, until=lambda: not session.background.busy)


def digest(array: Any) -> str:
    """Hash an array of whole numbers, whatever its type."""
    return hashlib.sha256(np.ascontiguousarray(array).astype("<i8").tobytes()).hexdigest()


def facts(session: Any) -> dict[str, Any]:
    """Return the content of a session in the form of ``session-expected.json``."""
    from dataclasses import asdict, astuple

    from napari_pixcell.engine.record import pixels_sha256

    names = {style.id: style.name for style in session.library.all}

    def layout(item: Any) -> dict[str, Any] | None:
        if item.layout is None:
            return None
        return {
            "cells": item.cells,
            "origin": item.layout_origin,
            "source": item.layout_source.to_dict(),
            "classes": {str(number): name for number, name in item.classes.items()},
            "labels": digest(item.layout),
        }

    regions = [
        {
            "number": item.number,
            "name": item.name,
            "place": item.region.as_list(),
            "drawn": item.drawn.as_list(),
            "size": list(item.size),
            "family": item.family,
            "style": [[names.get(p.ref, p.ref), p.weight] for p in item.style.parts],
            "layout": layout(item),
            "area": None if item.area is None else digest(item.area),
        }
        for item in session.regions.current
    ]
    variants = [
        {
            "region": result.target.name,
            "place": result.target.region.as_list(),
            "size": list(result.target.size),
            "seed": result.record.request.seed,
            "steps": result.record.request.steps,
            "started": result.record.request.start is not None,
            "pixels": pixels_sha256(np.asarray(result.image)),
            "starred": result.starred,
            "shown": result.shown,
        }
        for result in session.gallery.results
    ]
    waiting = [
        {
            "region": target.name,
            "title": title,
            "requests": [
                [
                    one.seed,
                    one.count,
                    one.steps,
                    one.guidance,
                    list(one.size),
                    list(one.embedding.shape),
                    [list(part) for part in one.source.style],
                ]
                for one in requests
            ],
        }
        for target, title, requests in session.queue.put_off
    ]
    measures = session.measures
    return {
        "note": session.notices.notes["slide"],
        "waiting note": session.queue.put_off_note(),
        "settings": asdict(session.settings),
        "recipe": session.invention.recipe.to_dict(),
        "export_name": session.exporter.name,
        "active": session.regions.active.number,
        "regions": regions,
        "variants": variants,
        "waiting": waiting,
        "measured": {
            "thresholds": list(astuple(measures.thresholds)),
            "coloured": measures.coloured,
            "rows": [list(row.row)[:-1] for row in measures.rows],  # the last is a sentence
            "nuclei": [digest(row.labels) for row in measures.rows],
        },
    }


@pytest.fixture
def expected() -> dict[str, Any]:
    value: dict[str, Any] = read("session-expected.json")
    del value["slide sha256"]
    return value


def state_encoder(folder: Path) -> None:
    """Let the waiting jobs of a session say that today's weights embedded their styles."""
    path = folder / "session.json"
    document = json.loads(path.read_text("utf-8"))
    for job in document["jobs"]:
        job["encoder"] = encoder_of("demo")
    path.write_text(json.dumps(document), "utf-8")


def test_waiting_jobs_of_the_version_before_are_not_made_with_a_wrong_style(
    start: Callable[[], Any], copy: Callable[[str], Path], slide: Path
) -> None:
    """That version did not state the weights, and those of the demo family have changed since."""
    session = opened(start, copy("session.pixcell"))
    assert Path(session.slides.current.path) == slide
    assert session.queue.put_off == []
    assert session.notices.notes["slide"] == (
        "“session.pixcell” was opened: 2 regions, 2 variants. 2 waiting jobs were left out, "
        "because the weights that embedded the styles were replaced. Generate the regions again."
    )


def test_a_session_of_the_version_before_opens_whole(
    start: Callable[[], Any], copy: Callable[[str], Path], slide: Path, expected: dict[str, Any]
) -> None:
    folder = copy("session.pixcell")
    state_encoder(folder)
    session = opened(start, folder)
    assert Path(session.slides.current.path) == slide
    holds(facts(session), expected)
    # Nothing starts by itself. Only the styles are computed again, as no encoder is stated.
    assert {type(one).__name__ for one in session.client.requests} == {"EmbedRequest"}

    session.queue.resume_put_off()
    settled(session)
    (job, *_), (first, *_) = session.client.waiting[0], expected["waiting"][0]["requests"]
    assert [job.seed, job.count, job.steps, job.guidance] == first[:4]
    assert job.embedding.shape == (2, 2, 128)


def test_a_session_of_the_version_before_is_saved_again_and_goes_on(
    start: Callable[[], Any], copy: Callable[[str], Path], slide: Path, expected: dict[str, Any]
) -> None:
    folder = copy("session.pixcell")
    state_encoder(folder)
    session = opened(start, folder)
    session.regions.rename(2, "Later")
    session.saver.flush()
    session.close()
    session.saver._thread.shutdown(wait=True)
    assert {path.name for path in folder.parent.iterdir()} == {folder.name, slide.name}
    document = json.loads((folder / "session.json").read_text("utf-8"))
    assert [region["name"] for region in document["regions"]] == ["Tumour", "Later"]
    expected["regions"][1]["name"] = "Later"
    holds(facts(opened(start, folder)), expected)


def test_a_variant_in_a_session_of_the_version_before_is_reproduced(
    run: Run, copy: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = copy("session.pixcell")
    files = json.loads((folder / "session.json").read_text("utf-8"))["results"]
    (image,) = [folder / "files" / one["file"] for one in files if one["starred"]]
    with Image.open(image) as picture:
        record = json.loads(picture.info[FORMAT_OF])
    assert record["request"]["seed"] == 78 and record["request"]["part"]
    made = run("rerun", image, "--out", tmp_path / "again")
    assert made["code"] == 0, made
    same_pixels(image, tmp_path / "again" / made["images"][0])
