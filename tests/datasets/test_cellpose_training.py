"""Cellpose's own command trains on a converted dataset, as its README says."""

from __future__ import annotations

import shlex
from pathlib import Path

from drawn_dataset import make_dataset
from tiny_cellpose import write_tiny

from napari_pixcell.datasets.formats.converting import convert
from napari_pixcell.datasets.splits import Split


def test_the_line_of_the_readme_trains_a_model(tmp_path: Path, monkeypatch, capfd) -> None:
    from cellpose import __main__ as cellpose
    from segment_anything import sam_model_registry
    from segment_anything.build_sam import _build_sam

    convert(make_dataset(tmp_path / "drawn"), "cellpose", tmp_path / "out", Split(0.3))
    [line] = [
        one for one in (tmp_path / "out/README.txt").read_text().splitlines() if "--train " in one
    ]
    command = shlex.split(line.partition(": ")[2])
    assert command[0] == "cellpose"
    folder = tmp_path / "out/train"
    arguments = [str(folder) if one == "FOLDER" else one for one in command[1:]]
    # A small network for one epoch, instead of the published one for a hundred.
    write_tiny(tmp_path / "tiny")
    monkeypatch.setitem(sam_model_registry, "vit_l", lambda _: _build_sam(64, 2, 2, [1]))
    small = ["--pretrained_model", str(tmp_path / "tiny"), "--n_epochs", "1"]
    rest = ["--test_dir", str(tmp_path / "out/validation"), "--min_train_masks", "1"]
    names = ["--train_batch_size", "1", "--nimg_per_epoch", "2", "--model_name_out", "trained"]
    monkeypatch.setattr("sys.argv", ["cellpose", *arguments, *small, *rest, *names])
    cellpose.main()
    assert (folder / "models" / "trained").stat().st_size > 1e6
