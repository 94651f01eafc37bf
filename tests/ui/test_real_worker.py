"""The whole main job in the window with the real worker and the demo family."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import napari
import numpy as np
import pytest

from napari_pixcell.models.catalogue import DEMO_FOLDER
from napari_pixcell.studio.results import Result
from napari_pixcell.ui.demo import click
from napari_pixcell.ui.dock import PixCellStudio
from napari_pixcell.ui.slide_layer import role

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
    studio.slide.open(cmu_slide)
    studio.generate.count.setValue(2)
    studio.generate.steps.setValue(4)
    click(studio.region.add_button)
    qtbot.waitUntil(lambda: not session.busy, timeout=300_000)
    assert not session.problems
    click(studio.layout_.segment_button)
    qtbot.waitUntil(lambda: not session.busy, timeout=120_000)
    previews: list[bool] = []
    session.generation.preview.connect(lambda _target, image: previews.append(image is not None))
    click(studio.generate.generate_button)
    qtbot.waitUntil(lambda: not session.busy, timeout=300_000)
    assert not session.problems
    results: list[Result] = session.generation.results
    assert [r.seed for r in results] == [1234, 1235]
    assert any(previews)
    assert not np.array_equal(results[0].image, results[1].image)
    assert sum(role(layer) == "variant" for layer in viewer.layers) == 2

    studio.generate.steps.setValue(100)
    click(studio.generate.generate_button)
    qtbot.waitUntil(
        lambda: session.generation.current is None or session.generation.current.done > 0,
        timeout=300_000,
    )
    click(studio.generate.cancel_button)
    qtbot.waitUntil(lambda: not session.busy, timeout=60_000)
    assert len(results) == 2
    assert not session.problems

    pid = session.client.process_id  # type: ignore[attr-defined]
    assert pid is not None
    # What another test of this process imported before is none of the studio's doing.
    assert {name for name in HEAVY if name in sys.modules} == before
    studio.close_session()
    assert session.client.process_id is None  # type: ignore[attr-defined]


def test_a_published_family_of_tiny_widths_runs_through_the_dock(
    viewer: napari.Viewer, cmu_slide: Path, qtbot, tmp_path: Path, monkeypatch
) -> None:
    # In a process of its own: this one is napari's and stays without torch.
    script = Path(__file__).parents[2] / "benchmarks" / "random_checkpoints.py"
    subprocess.run([sys.executable, script, "pixcell-256-cells", tmp_path], check=True)
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(tmp_path))
    _, studio = viewer.window.add_plugin_dock_widget("napari-pixcell", "PixCell studio")
    session = studio.session
    studio.slide.open(cmu_slide)
    qtbot.wait(60)
    model = studio.slide.model
    model.setCurrentIndex(model.findData("pixcell-256-cells"))
    studio.generate.count.setValue(1)
    studio.generate.steps.setValue(2)
    click(studio.region.add_button)
    qtbot.waitUntil(lambda: not session.busy, timeout=300_000)
    click(studio.layout_.segment_button)
    qtbot.waitUntil(lambda: not session.busy, timeout=120_000)
    click(studio.generate.generate_button)
    qtbot.waitUntil(lambda: not session.busy, timeout=300_000)
    assert not session.problems
    (result,) = session.generation.results
    assert result.image.shape == (256, 256, 3) and result.labels is not None
    assert set(result.record.weights) == {"transformer", "controlnet", "vae", "encoder"}
    assert sum(role(layer) == "variant" for layer in viewer.layers) == 1
    studio.close_session()
