"""The whole main job in the window with the real worker and the demo family."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import napari
import numpy as np
import pytest

from napari_pixcell.models.catalogue import DEMO_FOLDER
from napari_pixcell.models.families import get_family
from napari_pixcell.studio.results.results import Result
from napari_pixcell.ui.demo import click
from napari_pixcell.ui.dock import PixCellStudio

HEAVY = ("torch", "diffusers", "timm", "transformers", "cellpose")


@pytest.mark.skipif(
    not (DEMO_FOLDER / "transformer").exists(), reason="the demo weights are not there yet"
)
def test_the_main_job_with_the_real_worker_keeps_torch_out_of_napari(
    viewer: napari.Viewer, cmu_slide: Path, qtbot
) -> None:
    before = {name for name in HEAVY if name in sys.modules}
    _, studio = viewer.window.add_plugin_dock_widget("napari-pixcell", "PixCell studio")
    assert isinstance(studio, PixCellStudio)
    session = studio.session
    studio.actions.open(cmu_slide)
    qtbot.waitUntil(lambda: session.slides.ready, timeout=60_000)
    qtbot.wait(60)
    studio.generate.count.setValue(2)
    studio.generate.steps.setValue(4)
    click(studio.region.add_button)
    qtbot.waitUntil(lambda: not session.busy, timeout=300_000)
    assert not session.notices.problems
    click(studio.layout_.segmentation.segment_button)
    qtbot.waitUntil(lambda: not session.busy, timeout=120_000)
    previews: list[bool] = []
    session.queue.preview.connect(lambda _target, image: previews.append(image is not None))
    click(studio.footer.generate_button)
    qtbot.waitUntil(lambda: not session.busy, timeout=300_000)
    assert not session.notices.problems
    results: list[Result] = session.gallery.results
    assert [r.seed for r in results] == [1234, 1235]
    assert any(previews)
    assert not np.array_equal(results[0].image, results[1].image)
    session.gallery.star(results[1])
    kept, shared = studio.link.find("variant", 2), studio.link.find("preview")
    assert not kept.name.endswith("1234") and np.array_equal(kept.data, results[1].image)
    assert shared in viewer.layers and len(viewer.layers) == 5

    studio.generate.steps.setValue(100)
    click(studio.footer.generate_button)
    qtbot.waitUntil(
        lambda: session.queue.current is None or session.queue.current.done > 0, timeout=300_000
    )
    click(studio.footer.cancel_button)
    qtbot.waitUntil(lambda: not session.busy, timeout=60_000)
    assert len(results) == 2
    assert not session.notices.problems

    pid = session.client.process_id  # type: ignore[attr-defined]
    assert pid is not None
    # What another test of this process imported before is none of the studio's doing.
    assert {name for name in HEAVY if name in sys.modules} == before
    studio.close_session()
    assert session.client.process_id is None  # type: ignore[attr-defined]


def test_a_published_family_of_tiny_widths_runs_through_the_dock(
    viewer: napari.Viewer, cmu_slide: Path, qtbot, one_worker: Path
) -> None:
    names = ("pixcell-256-cells",)  # the others take the same way
    # In a process of its own: this one is napari's and stays without torch.
    script = Path(__file__).parents[2] / "benchmarks" / "random_checkpoints.py"
    subprocess.run([sys.executable, script, one_worker, *names], check=True)
    _, studio = viewer.window.add_plugin_dock_widget("napari-pixcell", "PixCell studio")
    session, model = studio.session, studio.header.model
    studio.actions.open(cmu_slide)
    qtbot.waitUntil(lambda: session.slides.ready, timeout=60_000)
    qtbot.wait(60)
    for name in names:
        family = get_family(name)
        model.setCurrentIndex(model.findData(name))
        qtbot.wait(60)  # the dock shows the family's own steps with its next turn
        studio.generate.count.setValue(1)
        studio.generate.steps.setValue(2)
        click(studio.region.add_button)
        qtbot.waitUntil(lambda: not session.busy, timeout=300_000)
        if family.takes_layout:
            click(studio.layout_.segmentation.segment_button)
            qtbot.waitUntil(lambda: not session.busy, timeout=120_000)
        click(studio.footer.generate_button)
        qtbot.waitUntil(lambda: not session.busy, timeout=300_000)
        assert not session.notices.problems
        result = session.gallery.results[-1]
        assert result.record.request.family == name and result.record.request.steps == 2
        assert result.image.shape == (family.tile, family.tile, 3)
        assert (result.labels is not None) == family.takes_layout
        kinds = {part.kind for part in family.parts} - {"scheduler"}
        assert set(result.record.weights) == kinds
        assert result.record.request.embedding is not None
        assert result.record.request.embedding.unpack().shape == (family.grid**2, 64)
    assert len(session.gallery.results) == len(names)
    assert np.array_equal(studio.link.find("preview").data, result.image)
    studio.close_session()
