"""A slide, and engines in this process and in the worker, whose start takes seconds."""

from __future__ import annotations

from collections.abc import Iterator

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


@pytest.fixture(scope="session")
def style(engine: pixcell.Engine, slide: pixcell.Slide, region: pixcell.Region) -> pixcell.Style:
    return engine.embed(slide, region, cache=False)


@pytest.fixture(scope="session")
def layout(engine: pixcell.Engine, slide: pixcell.Slide, region: pixcell.Region) -> pixcell.Layout:
    return engine.segment(slide, region)
