"""The repair of nuclei in a session: which requests have it, and what is told and exported."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scripted import ScriptedClient
from settling import settled
from tifffile import imread

from napari_pixcell.engine.events import Finished, Progress, Variant
from napari_pixcell.engine.record import Record, pixels_sha256
from napari_pixcell.engine.repair import NucleusCounts, Repair, RepairOutcome
from napari_pixcell.slides import Region
from napari_pixcell.studio.session import Session

LABELS = np.zeros((256, 256), np.int32)
LABELS[20:40, 20:40] = 5
LABELS[60:80, 60:80] = 9


@pytest.fixture
def placed(session: Session) -> Session:
    """A session with a region of one tile that has two nuclei, and repair switched on."""
    session.regions.add((400, 400))
    settled(session)
    session.layouts.set(session.regions.active.number, LABELS.copy(), "painted")
    session.settings.count = 1
    session.settings.repair = True
    settled(session)
    return session


def asked(session: Session, client: ScriptedClient) -> Repair | None:
    session.generator.generate()
    settled(session)
    return client.waiting[-1][0].repair


def test_the_switch_and_its_limits_reach_the_request(placed: Session, client) -> None:
    placed.settings.repair_rounds, placed.settings.repair_seconds = 5, 20
    placed.settings.sensitivity = 0.3
    assert asked(placed, client) == Repair(5, 20.0, placed.settings.segmenting)
    placed.settings.repair_seconds = 0
    assert placed.settings.repairing.seconds is None
    placed.settings.repair = False
    placed.queue.cancel_all()
    assert asked(placed, client) is None


def test_only_a_tile_with_a_layout_is_repaired(placed: Session, client) -> None:
    assert placed.generator.why_no_repair() == ""
    placed.layouts.set(placed.regions.active.number, None)
    assert asked(placed, client) is None
    placed.queue.cancel_all()
    placed.regions.move(placed.regions.active.number, Region(100, 100, 512, 256))
    settled(placed)
    placed.layouts.set(placed.regions.active.number, np.hstack([LABELS, LABELS]), "painted")
    assert placed.generator.why_no_repair() == "Repair works on regions of one tile"
    assert asked(placed, client) is None


def played(session: Session, client: ScriptedClient) -> None:
    """Generate one variant that lacks one of the two nuclei after one round."""
    asked(session, client)
    request, on_event = client.waiting.pop(0)
    image = np.full((256, 256, 3), 7, np.uint8)
    outcome = RepairOutcome(
        NucleusCounts(0, 0, 2, 3), NucleusCounts(1, 0, 1, 0), missing=(9,), rounds=1, seconds=4.0
    )
    record = Record(replace(request, repair=Repair(1)), sha256=pixels_sha256(image), repair=outcome)
    on_event(Variant(0, image, record))
    on_event(Finished())
    settled(session)


def test_the_outcome_is_told_and_its_settings_can_be_used_again(placed: Session, client) -> None:
    played(placed, client)
    (result,) = placed.gallery.results
    assert result.nuclei == "1 of 2 nuclei placed (0 before repair); 4 s"
    placed.settings.repair = False
    placed.settings.use(result.record.request)
    assert placed.settings.repair
    assert placed.settings.repair_rounds == 3  # the limit, not what this variant needed


@pytest.mark.parametrize("drop", [False, True])
def test_wrong_nuclei_leave_an_exported_mask_on_request(
    placed: Session, client, tmp_path: Path, drop: bool
) -> None:
    played(placed, client)
    placed.exporter.drop_wrong = drop
    placed.exporter.write_pairs(tmp_path)
    placed.wait(20)
    (row,) = [json.loads(line) for line in (tmp_path / "manifest.jsonl").read_text().splitlines()]
    mask = imread(tmp_path / row["mask"])
    np.testing.assert_array_equal(mask, np.where(LABELS == 9, 0, LABELS) if drop else LABELS)
    assert Record.from_dict(row["record"]).repair.dropped == drop


def test_the_queue_tells_the_round(placed: Session, client) -> None:
    asked(placed, client)
    client.waiting[-1][1](Progress(25, 80, "Repairing, round 1 of 3"))
    settled(placed)
    assert "repairing, round 1 of 3" in placed.queue.current.sentence()


def test_a_dataset_has_its_own_switch(placed: Session, client, tmp_path: Path) -> None:
    placed.datasets.choice.repair = placed.datasets.choice.drop_wrong = True
    placed.settings.repair_rounds = 2
    placed.datasets.make(tmp_path / "data")
    settled(placed)
    recipe = client.datasets[0][0].recipe
    assert recipe.repair == Repair(2, 60.0)
    assert recipe.drop_wrong
