"""Virtual stains of a region: choosing them, what they start from, and where they land."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pictures import tissue
from scripted import ScriptedClient

from napari_pixcell.models.families import stain_families, stain_name, stain_of
from napari_pixcell.models.own_families import families_folder
from napari_pixcell.slides import ArraySlide
from napari_pixcell.studio.session import Session
from napari_pixcell.studio.settings import STAIN_FROM
from napari_pixcell.studio.stains.staining import kept_words


def add_stain(name: str, title: str) -> str:
    """Put a stain on the demo family there, whose files nobody reads here."""
    folder = families_folder()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weights").touch()
    parts = "".join(f'[{kind}]\nfile = "weights"\n' for kind in ("lora", "flow"))
    (folder / f"{name}.toml").write_text(f'base = "demo"\ntitle = "Virtual {title}"\n{parts}')
    return name


@pytest.fixture
def picture() -> np.ndarray:
    return tissue(1500)


@pytest.fixture
def stained(session: Session) -> Session:
    """With two stains, both chosen, and a region."""
    for name, title in (("mine", "HER2 (mine)"), ("other", "Ki67")):
        add_stain(name, title)
        session.staining.choose(name, True)
    session.regions.add((400, 400))
    session.wait()
    return session


def queued(session: Session):
    session.staining.stain()
    session.wait(until=lambda: not session.background.busy and not session.staining.waiting)
    assert "stain" not in session.notices.problems, session.notices.problems
    return session.queue.jobs[-1]


def test_stains_are_the_families_with_a_flow() -> None:
    names = [family.name for family in stain_families()]
    assert {"stain-her2", "stain-ki67", "stain-her2match"} <= set(names)
    assert not {"demo", "pixcell-1024"} & set(names)
    assert (stain_of("stain-er"), stain_of("demo"), stain_of("gone")) == ("ER", "", "")


def test_several_stains_are_one_job_of_requests_that_start_from_the_tissue(
    stained: Session, picture: np.ndarray
) -> None:
    job = queued(stained)
    assert [r.family for r in job.requests] == ["mine", "other"] and job.count == 2
    for request in job.requests:
        np.testing.assert_array_equal(request.start.unpack(), picture[272:528, 272:528])
        assert request.invert and request.strength == 0.5 and request.seed == 1234
        assert request.embedding == stained.regions.active.embedding
        assert request.source.region == (272, 272, 256, 256) and request.layout is None
    assert "virtual HER2, Ki67" in job.summary()
    for _ in job.requests:
        stained.client.play()
        stained.wait(until=lambda: not stained.background.busy)
    stained.wait()
    names = [result.name for result in stained.gallery.results]
    assert names == [
        "Synthetic HER2 · Region 1 · seed 1234",
        "Synthetic Ki67 · Region 1 · seed 1234",
    ]
    assert [result.label for result in stained.gallery.results] == ["HER2", "Ki67"]
    assert len({result.job for result in stained.gallery.results}) == 1
    stained.staining.keep()
    assert stained.gallery.kept == stained.gallery.results
    sheets: list[np.ndarray] = []
    stained.staining.sheet(sheets.append, pytest.fail)
    stained.wait(until=lambda: bool(sheets))
    assert sheets[0].shape[1] == 8 + 3 * (256 + 8)


def test_noise_needs_no_start_image_and_added_noise_depends_on_the_seed(stained: Session) -> None:
    settings = stained.settings
    settings.stain_from = "noise"
    assert all(r.start is None and not r.invert for r in queued(stained).requests)
    settings.stain_from, settings.stain_strength = "tissue", 0.3
    assert all(r.strength == 0.3 and not r.invert for r in queued(stained).requests)


def test_a_stain_captures_its_region_when_it_is_queued(
    stained: Session, picture: np.ndarray
) -> None:
    stained.staining.stain()
    stained.regions.remove(1)
    stained.slides.set(None)
    stained.wait(until=lambda: not stained.background.busy)
    job = stained.queue.jobs[-1]
    assert job.target.name == "Region 1" and job.target.slide == "case 7"
    np.testing.assert_array_equal(job.requests[0].start.unpack(), picture[272:528, 272:528])


def test_selected_stains_are_remembered_unless_they_are_removed(stained: Session) -> None:
    (families_folder() / "other.toml").unlink()
    assert [family.name for family in stained.staining.chosen] == ["mine"]
    stained.staining.choose("mine", False)
    assert stained.staining.why_not() == "Select a stain"
    stained.staining.stain()
    assert not stained.queue.jobs and not stained.staining.waiting


def test_a_stain_that_is_not_installed_names_what_it_needs(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    her2 = next(family for family in stain_families() if family.name == "stain-her2")
    assert her2.name not in [family.name for family in session.staining.installed]
    assert session.staining.why_missing(her2).startswith("Virtual HER2 needs its base: ")
    for part in her2.parts:
        if part.kind != "flow":
            for file in part.files:
                path = tmp_path / part.hub_id / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(tmp_path))
    session.models.check()
    assert session.staining.why_missing(her2) == "Virtual HER2 is not installed"


def test_a_users_own_stain_names_its_missing_files_or_base(session: Session) -> None:
    add_stain("mine", "Mine")
    path = families_folder() / "mine.toml"
    path.write_text(path.read_text().replace('"demo"', '"pixcell-1024"'))
    (mine,) = (family for family in stain_families() if family.name == "mine")
    words = session.staining.why_missing(mine)
    assert words == "Virtual Mine needs its base: StonyBrook-CVLab/PixCell-1024 is not installed"
    add_stain("other", "Other")
    (families_folder() / "weights").unlink()
    (other,) = (family for family in stain_families() if family.name == "other")
    words = "Virtual Other is not installed: its files are not in “families”"
    assert session.staining.why_missing(other) == words


def test_a_region_smaller_than_a_tile_is_reported_and_can_be_enlarged(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    her2 = next(family for family in stain_families() if family.name == "stain-her2")
    for part in her2.parts:
        for file in part.files:
            path = tmp_path / part.hub_id / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(tmp_path))
    session.models.check()
    session.staining.choose("stain-her2", True)
    assert session.staining.why_not() == "Add a region first"
    session.regions.add((700, 700))
    session.wait()
    words = "Region 1 is 128 × 128 µm, and HER2 needs 477 µm or more"
    assert session.staining.why_not() == words
    session.staining.enlarge()
    session.wait()
    assert session.staining.why_not() == "" and session.regions.active.size == (954, 954)
    assert session.regions.active.family == "demo"
    request = queued(session).requests[0]
    assert (request.family, request.embedding.shape, request.size) == (
        "stain-her2",
        (16, 128),
        None,
    )
    assert request.start.shape == (1024, 1024, 3) and request.guidance == 1.2


def test_a_layout_is_followed_if_the_family_supports_it(stained: Session) -> None:
    labels = np.zeros((256, 256), np.int32)
    labels[9:30, 9:30] = 1
    stained.layouts.set(1, labels)
    assert stained.staining.words().endswith("The layout holds its cells.")
    job = queued(stained)
    assert all(np.array_equal(r.layout.unpack(), labels) for r in job.requests)


def test_a_failed_embedding_is_reported_and_a_waiting_one_can_be_cancelled(
    stained: Session, client: ScriptedClient
) -> None:
    client.embedding_failure = "The worker has ended; try again."
    stained.embedder.cache.clear()
    stained.staining.stain()
    stained.wait()
    assert stained.notices.problems["stain"] == client.embedding_failure and not stained.queue.jobs
    stained.staining.stain()
    assert stained.busy and stained.staining.sentence() == "Embedding…"
    stained.cancel()
    stained.wait()
    assert not stained.staining.waiting and not stained.queue.jobs


def test_tissue_that_looks_like_ihc_causes_a_warning(
    session: Session, client: ScriptedClient
) -> None:
    ihc = np.full((1000, 1000, 3), (225, 230, 240), np.uint8)
    y, x = np.mgrid[:1000, :1000] % 40 - 20
    ihc[y**2 + x**2 < 120] = (110, 70, 30)
    for slide, words in (
        (ArraySlide([ihc], 0.5, "ihc"), "looks like IHC"),
        (session.slides.current, ""),
    ):
        session.slides.set(slide)
        session.regions.add((500, 500))
        session.staining.warning()
        session.wait()
        session.staining.warning()
        session.wait()
        assert words in session.staining.warning()
        assert bool(session.staining.warning()) == bool(words)


def test_each_start_and_strength_is_described() -> None:
    said = {kept_words(how, s) for how in STAIN_FROM for s in (0, 0.2, 0.45, 0.7)}
    assert len(said) == 7 and all(words.endswith(".") for words in said)
    assert [stain_name(f) for f in stain_families()][-1] == "HER2Match"
