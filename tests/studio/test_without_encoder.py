"""A model without its gated encoder: styles come from features, and tissue is only read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from random_checkpoints import SIZES, Widths, write_family

from napari_pixcell.cli.doctor import _models
from napari_pixcell.cli.models import _row
from napari_pixcell.engine.request_values import EmbedRequest, GenerateRequest
from napari_pixcell.engine.styles.features.encoders import UNI2_H_NAME
from napari_pixcell.engine.styles.style import Style
from napari_pixcell.models.families import get_family
from napari_pixcell.slides import Region

SENTENCE = (
    "The encoder of PixCell-256 is missing. Get it in the model manager, or add styles from a file "
    "of features."
)


@pytest.fixture
def bare(session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A session with a tiny PixCell-256 that has no encoder."""
    family = get_family("pixcell-256")
    parts = tuple(part for part in family.parts if part.kind != "encoder")
    widths = Widths(**SIZES | {"embed_dim": 1536}, layers=1)
    write_family(replace(family, parts=parts), tmp_path / "weights", widths)
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(tmp_path / "weights"))
    session.settings.use_family("pixcell-256")
    session.wait(20)
    return session


def features_style(name: str) -> Style:
    values = np.random.default_rng(0).normal(size=(1, 1, 1536)).astype(np.float32)
    return Style(name, values, UNI2_H_NAME, "pixcell-256")


def test_it_is_installed_and_tissue_is_read_but_never_embedded(bare, client) -> None:
    assert not bare.models.missing and not bare.models.why_not()
    assert bare.models.why_no_encoder() == SENTENCE
    item = bare.regions.add((700, 700))
    bare.wait(20)
    bare.regions.move(item.number, Region(100, 100, 256, 256))
    bare.embeddings.embed(item.number)
    bare.wait(20)
    assert not any(isinstance(request, EmbedRequest) for request in client.requests)
    assert item.embedding is None and not item.embedding_busy
    assert item.pixels is not None and item.pixels.shape == (256, 256, 3)
    short = "No encoder: get it, or add a style from features"
    assert bare.generator.why_not() == bare.styles.why_not(item) == short
    assert bare.similar.why_not() == SENTENCE
    bare.library.add_picture(Path("tissue.png"))
    assert bare.notices.problems["style"] == SENTENCE


def test_a_style_from_features_is_generated_and_saved(bare, client) -> None:
    bare.regions.add((700, 700))
    styles = [features_style("A"), features_style("B")]
    for style in styles:
        bare.library.temporary[style.id] = style
    bare.styles.set(styles[0].id)
    bare.wait(20)
    assert not bare.generator.why_not()
    bare.generator.generate()
    bare.wait(20, until=lambda: bool(client.waiting))
    request, _ = client.waiting[0]
    assert isinstance(request, GenerateRequest) and request.family == "pixcell-256"
    np.testing.assert_array_equal(request.embedding.unpack(), styles[0].embedding[0])
    client.play()
    bare.styles.choose(bare.regions.active.style.with_more(styles[1].id))
    bare.styles.save("Both")
    bare.wait(20)
    (kept,) = [style for style in bare.library.saved.values() if style.name == "Both"]
    assert kept.encoder == UNI2_H_NAME and not bare.library.problem(kept)


def test_datasets_of_saved_styles_need_no_encoder(bare) -> None:
    bare.datasets.choice.styles = "regions"
    bare.regions.add((700, 700))
    bare.wait(20)
    assert bare.datasets.why_not() == SENTENCE
    bare.datasets.choice.styles = "slide"
    assert bare.datasets.why_not() == SENTENCE
    bare.library.save(lambda: features_style("A"))
    bare.wait(20)
    bare.datasets.choice.styles = "saved"
    assert not bare.datasets.why_not()


def test_the_manager_the_doctor_and_models_list_say_so(bare) -> None:
    rows = {row.family.name: row for row in bare.models.manager.rows()}
    row = rows["pixcell-256"]
    assert row.state == "without encoder" and row.usable and not row.installed and row.gated
    assert not rows["pixcell-1024"].usable
    told = _row(get_family("pixcell-256"))
    assert told["without_encoder"] and not told["installed"]
    assert not _row(get_family("demo"))["without_encoder"]
    (line,) = [d for d in _models() if d.topic == "model pixcell-256"]
    assert line.found == "installed without its encoder: styles come from files of features"
    assert line.fix == "napari-pixcell models get pixcell-256" and not line.failed
