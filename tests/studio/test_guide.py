"""The next step on the way from a slide to variants, with the reason if it cannot be taken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scripted import ScriptedClient
from settling import settled

from napari_pixcell.engine.events import Failure
from napari_pixcell.slides import ArraySlide
from napari_pixcell.slides.samples import SAMPLE_SLIDE
from napari_pixcell.studio.guide import NextStep
from napari_pixcell.studio.session import Session

FIND = NextStep("cells", "Find the cells")


@pytest.fixture
def region(session: Session) -> Session:
    """A session with one region."""
    session.regions.add((400, 400))
    settled(session)
    return session


def test_without_a_slide_one_is_opened(client: ScriptedClient) -> None:
    session = Session(client)
    assert session.guide.step() == NextStep("open", "Open a slide…")
    session.slides.open(SAMPLE_SLIDE, session.slides.set)
    opening = f"Opening {SAMPLE_SLIDE.name}…"
    assert session.guide.step() == NextStep("open", opening, "The slide is being opened")
    settled(session)
    assert session.guide.step() == NextStep("region", "Add a region here")
    session.close()


def test_a_file_that_cannot_be_opened_leads_back_to_the_first_step(
    client: ScriptedClient, tmp_path: Path
) -> None:
    session = Session(client)
    session.slides.open(tmp_path / "gone.svs", session.slides.set)
    settled(session)
    assert session.guide.step() == NextStep("open", "Open a slide…")
    assert "gone.svs" in session.notices.problems["slide"]
    session.close()


def test_a_slide_without_a_pixel_size_asks_for_it(session: Session, picture: np.ndarray) -> None:
    session.slides.set(ArraySlide([picture], None, "photo"))
    assert session.guide.step() == NextStep("pixel size", "Set the pixel size")


def test_a_model_that_is_not_installed_is_offered(session: Session) -> None:
    session.settings.use_family("pixcell-1024")
    assert session.models.missing
    title = session.settings.model.title
    assert session.guide.step() == NextStep("model", f"Get {title}…")


def test_a_slide_asks_for_a_region_and_each_further_slide_too(
    region: Session, picture: np.ndarray
) -> None:
    region.slides.set(ArraySlide([picture], 0.5, "case 8"))
    assert region.guide.step() == NextStep("region", "Add a region here")


def test_a_new_region_asks_for_its_cells(region: Session) -> None:
    assert region.guide.step() == FIND
    region.segmentation.segment()
    step = region.guide.step()
    assert (step.kind, step.words) == ("cells", "Finding the cells…") and step.why_not
    settled(region)
    assert region.guide.step() == NextStep("generate", "Generate 4 variants")


def test_a_method_that_cannot_be_used_says_why(region: Session) -> None:
    region.settings.segment_model = "/nowhere/mine"
    region.settings.segment_method = "cellpose"
    step = region.guide.step()
    assert step.kind == "cells" and step.why_not == region.segmentation.problem
    assert "mine" in step.why_not


def test_a_layout_without_cells_asks_for_some(region: Session) -> None:
    region.layouts.new()
    words = "The layout has no cells: paint some"
    assert region.guide.step() == NextStep("generate", words, words)


def test_who_starts_from_the_tissue_needs_no_cells(region: Session) -> None:
    region.settings.start_from = "tissue"
    assert region.guide.step() == NextStep("generate", "Generate 4 variants")
    region.settings.only_part = True
    assert region.guide.step().why_not == "Mark an area first"


def test_who_generates_without_cells_is_not_asked_for_them_again(
    region: Session, client: ScriptedClient
) -> None:
    region.settings.count = 1
    region.generator.generate()
    settled(region)
    assert region.guide.step() == NextStep("generate", "Queue 1 variant")
    client.play()
    settled(region)
    assert region.guide.step() == NextStep("generate", "Generate 1 variant")
    region.regions.add((900, 900))
    settled(region)
    assert region.guide.step() == FIND  # the second region is new


def test_a_failed_generation_is_not_followed_by_the_question_for_cells(
    region: Session, client: ScriptedClient
) -> None:
    region.generator.generate()
    settled(region)
    client.waiting.pop(0)[1](Failure("There is not enough memory on the device."))
    settled(region)
    assert region.guide.step().kind == "generate"
