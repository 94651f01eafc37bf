"""The switch for the repair of nuclei, and what the window tells of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_pixcell.engine.events import Finished, Variant
from napari_pixcell.engine.record import Record, pixels_sha256
from napari_pixcell.engine.repair import NucleusCounts, RepairOutcome

SENTENCE = "1 of 2 nuclei placed, 1 extra"


def test_nuclei_are_repaired_on_request_and_the_outcome_is_shown(
    ready, client, settle, press
) -> None:
    session, section = ready.session, ready.generate
    session.regions.add((400, 400))
    settle(ready)
    assert not section.repair.isEnabled()  # nothing can be wrong without a layout
    assert section.repair.toolTip().startswith("Repair needs a layout\n")
    labels = np.zeros((256, 256), np.int32)
    labels[20:40, 20:40], labels[60:80, 60:80] = 1, 2
    session.layouts.set(session.regions.active.number, labels, "painted")
    settle(ready)
    assert section.repair.isVisible() and section.repair.isEnabled()
    section.more.button.setChecked(True)
    section.repair.setChecked(True)
    settle(ready)
    assert section.rounds.isVisible() and session.settings.repair
    session.settings.count = 1
    assert ready.export.drop_wrong.isHidden()
    session.generator.generate()
    settle(ready)
    request, on_event = client.waiting.pop(0)
    counts = NucleusCounts(1, 0, 1, 1)
    image = np.full((256, 256, 3), 99, np.uint8)
    record = Record(replace(request), sha256=pixels_sha256(image))
    on_event(Variant(0, image, replace(record, repair=RepairOutcome(counts, counts, missing=(2,)))))
    on_event(Finished())
    settle(ready)
    cell = ready.results.strip.model_.cells[-1]
    assert SENTENCE in cell.tip.splitlines()
    assert ready.results.messages.state.text() == f"Region 1: 1 of 1 · seed 1234 · {SENTENCE}"
    ready.tabs.bring(ready.export.drop_wrong)
    settle(ready)
    assert ready.export.drop_wrong.isVisible()
    ready.export.drop_wrong.setChecked(True)
    assert session.exporter.drop_wrong
