"""Another model: regions take its tile, styles are made anew, layouts wait for their size."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pixcell.engine.request_values import EmbedRequest, GenerateRequest
from napari_pixcell.models.catalogue import DEMO
from napari_pixcell.slides import ArraySlide, Region


@pytest.fixture
def installed(pretend_installed) -> None:
    pretend_installed()


def labels(side: int) -> np.ndarray:
    made = np.zeros((side, side), np.int32)
    made[5:20, 5:20] = 1
    return made


@pytest.mark.usefixtures("installed")
def test_another_model_refits_a_region_and_embeds_it_again(session, client) -> None:
    session.regions.add((700, 700))
    session.wait(20)
    session.settings.use_family("pixcell-1024")
    session.wait(20)
    item = session.regions.active
    assert item.region == Region(188, 188, 1024, 1024)
    last = client.requests[-1]
    assert isinstance(last, EmbedRequest) and last.family == "pixcell-1024"
    assert last.pixels.unpack().shape == (1024, 1024, 3)
    assert item.embedding is not None


@pytest.mark.usefixtures("installed")
def test_a_layout_returns_with_its_tile_size(session) -> None:
    session.regions.add((700, 700))
    session.layouts.set(1, labels(256), "painted")
    session.settings.use_family("pixcell-1024")
    assert session.regions.active.layout is None
    session.layouts.set(1, labels(1024), "imported")
    session.settings.use_family("demo")
    assert session.regions.active.layout.shape == (256, 256)
    assert session.regions.active.layout_origin == "painted"
    session.settings.use_family("pixcell-1024")
    assert session.regions.active.layout_origin == "imported"


@pytest.mark.usefixtures("installed")
def test_a_model_without_layouts_gets_none(session, client) -> None:
    session.settings.use_family("pixcell-256")
    session.regions.add((700, 700))
    session.layouts.set(1, labels(256), "painted")
    session.wait(20)
    assert not session.generator.why_not()
    session.generator.generate()
    session.wait(20, until=lambda: bool(client.waiting))
    request = client.waiting[0][0]
    assert isinstance(request, GenerateRequest) and request.layout is None
    assert session.regions.active.layout is not None


@pytest.mark.usefixtures("installed")
def test_a_model_sets_its_guidance_scale(session) -> None:
    settings = session.settings
    settings.guidance = 7.0
    settings.use_family("pixcell-256-cells")
    assert settings.guidance_with(layout=True) == 2.5
    settings.use_family("pixcell-256")
    assert settings.guidance_with(layout=False) == 2.0


def test_the_guidance_scale_is_the_familys_until_the_user_sets_it(session, client) -> None:
    asked = []
    session.regions.add((700, 700))
    for layout, own in ((None, None), (labels(256), None), (labels(256), 3.0)):
        session.layouts.set(1, layout, "painted")
        session.settings.guidance = own
        session.wait(20, until=lambda: not session.generator.why_not())
        session.generator.generate()
        session.wait(20, until=lambda: bool(client.waiting))
        asked.append(client.waiting[-1][0].guidance)
        client.play()
    assert asked == [DEMO.guidance, DEMO.layout_guidance, 3.0]
    assert DEMO.guidance != DEMO.layout_guidance


def test_a_model_that_is_not_installed_is_reported_and_requests_nothing(session, client) -> None:
    session.settings.use_family("pixcell-256")
    session.regions.add((700, 700))
    session.wait(20)
    assert session.generator.why_not() == "PixCell-256 is not installed"
    assert client.requests == []
    session.settings.use_family("demo")
    session.wait(20)
    assert not session.generator.why_not()


def test_regions_are_embedded_once_the_model_is_installed(session, pretend_installed) -> None:
    session.settings.use_family("pixcell-256")
    session.regions.add((700, 700))
    session.wait(20)
    assert session.regions.active.embedding is None
    pretend_installed()
    session.models.check()
    session.wait(20)
    assert session.regions.active.embedding is not None and not session.generator.why_not()


@pytest.mark.usefixtures("installed")
def test_a_slide_too_small_for_the_model_leaves_the_region_unchanged(session) -> None:
    session.slides.set(ArraySlide([np.zeros((600, 600, 3), np.uint8)], 0.5, "small"))
    session.regions.add((300, 300))
    session.settings.use_family("pixcell-1024")
    assert "smaller than one tile" in session.notices.problems["region"]
    assert session.generator.why_not() == "The slide is too small for this model"
    session.settings.use_family("demo")
    session.wait(20)
    assert "region" not in session.notices.problems and not session.generator.why_not()


@pytest.mark.usefixtures("installed")
def test_regions_of_another_slide_are_refitted_when_it_is_opened(session) -> None:
    first = session.slides.current
    session.regions.add((700, 700))
    session.wait(20)
    session.slides.set(ArraySlide([np.zeros((1500, 1500, 3), np.uint8)], 0.5, "other"))
    session.settings.use_family("pixcell-1024")
    session.slides.set(first)
    session.wait(20)
    assert session.regions.active.region.width == 1024
