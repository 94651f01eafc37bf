"""A slide, and engines in this process and in the worker, whose start takes seconds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import napari_pixcell as pixcell


@pytest.fixture(scope="session")
def slide() -> Iterator[pixcell.Slide]:
    with pixcell.sample_slide() as opened:
        yield opened


@pytest.fixture(scope="session")
def region(slide: pixcell.Slide) -> pixcell.Region:
    return slide.region_um(x=430, y=430, width=128, height=128)


@pytest.fixture(scope="session")
def engine() -> Iterator[pixcell.Engine]:
    with pixcell.Engine("demo") as opened:
        yield opened


@pytest.fixture(scope="session")
def far_engine() -> Iterator[pixcell.Engine]:
    with pixcell.Engine("demo", where="worker") as opened:
        yield opened


@pytest.fixture(params=["engine", "far_engine"])
def either(request: pytest.FixtureRequest) -> pixcell.Engine:
    """An engine in this process, then one in the worker."""
    engine: pixcell.Engine = request.getfixturevalue(request.param)
    return engine


@pytest.fixture(scope="session")
def style(engine: pixcell.Engine, slide: pixcell.Slide, region: pixcell.Region) -> pixcell.Style:
    return engine.embed(slide, region, cache=False)


@pytest.fixture(scope="session")
def layout(engine: pixcell.Engine, slide: pixcell.Slide, region: pixcell.Region) -> pixcell.Layout:
    return engine.segment(slide, region)


@pytest.fixture(scope="session")
def recipe(slide: pixcell.Slide) -> dict[str, Any]:
    return {
        "napari-pixcell dataset recipe": 1,
        "name": "Two fields",
        "styles": [{"from": "slide", "slide": str(slide.path), "most": 2}],
        "layouts": [{"from": "style"}],
        "pairing": "matched",
        "steps": 1,
    }


@pytest.fixture(scope="session")
def made(
    engine: pixcell.Engine, recipe: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> pixcell.Dataset:
    out = tmp_path_factory.mktemp("api") / "made"
    return pixcell.Dataset.make(recipe, out, engine=engine)
