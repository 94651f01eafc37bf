"""``napari-pixcell models``, run by people and by programs."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest

from napari_pixcell.cli.main import main
from napari_pixcell.models.catalogue import BUILT_IN, PIXCELL_256
from napari_pixcell.models.store import missing


@pytest.fixture
def run(capsys):
    def run(*arguments: object) -> dict:
        code = main(["models", *map(str, arguments), "--json"])
        value = json.loads(capsys.readouterr().out)
        value["code"] = code
        return value

    return run


def test_list_states_what_is_installed_and_gated(run, hub) -> None:
    rows = {row["name"]: row for row in run("list")["families"]}
    for name in ("demo", "demo-ki67"):
        assert rows[name]["installed"] and rows[name]["where"] == ["bundled"]
    assert not rows["pixcell-256"]["installed"]
    assert rows["pixcell-256"]["gated"] == ["MahmoodLab/UNI2-h"]
    assert rows["pixcell-256"]["bytes"] > 5e9
    assert len(rows["pixcell-256"]["missing"]) == 6
    assert hub.requests == []


def test_list_is_readable_without_json(capsys) -> None:
    assert main(["models", "list"]) == 0
    text = capsys.readouterr().out
    assert "installed (bundled)" in text
    assert "gated: MahmoodLab/UNI2-h" in text and "CC BY-NC-ND" in text and "5.5 GB" in text


def test_nothing_is_downloaded_without_agreement(run, hub) -> None:
    result = run("get", "pixcell-256")
    assert result["code"] == 1
    assert "PixCell-256 needs 5.5 GB" in result["error"] and "Add --yes" in result["error"]
    assert hub.requests == []


def test_a_family_is_downloaded_checked_exported_removed_and_imported(
    run, hub, tmp_path, monkeypatch
) -> None:
    assert run("get", "pixcell-256", "--yes")["installed"]
    assert run("check", "pixcell-256")["check"] == "all files are complete and unchanged"
    assert len(run("export", "pixcell-256", tmp_path / "stick")["files"]) == 10
    assert len(run("remove", "pixcell-256")["removed"]) == 6
    result = run("check", "pixcell-256")
    assert result["code"] == 3 and result["error"].count("is missing. Get pixcell-256") == 4
    assert "pixcell-256" in run("import", tmp_path / "stick")["installed"]
    assert run("check", "pixcell-256")["code"] == 0


def test_the_gated_encoder_can_be_left_out(run, hub) -> None:
    hub.repositories = {name: f for name, f in hub.repositories.items() if "UNI2" not in name}
    offered = run("get", "pixcell-256", "--without-encoder")["error"]
    assert "PixCell-256 needs 2.8 GB" in offered and "UNI2-h" not in offered
    assert run("get", "pixcell-256", "--without-encoder", "--yes")["installed"]
    assert [part.kind for part in missing(PIXCELL_256)] == ["encoder"]


def test_cellposes_weights_are_downloaded_checked_exported_and_removed(
    run, hub, tmp_path, monkeypatch
) -> None:
    files = {"cpsam_v2": b"weights" * 1000, "README.md": b"# cellpose\n"}
    hub.repositories["mouseland/cellpose-sam"] = files
    (row,) = (row for row in run("list")["families"] if row["name"] == "cellpose")
    assert not row["installed"] and not row["gated"] and "non-commercial" in row["licence"]
    refused = run("get", "cellpose")["error"]
    assert "Cellpose needs 1.2 GB from mouseland/cellpose-sam" in refused
    assert run("get", "cellpose", "--yes")["where"] == ["cache"]
    assert run("check", "cellpose")["code"] == 0
    exported = run("export", "cellpose", tmp_path / "stick")["files"]
    assert exported == [f"mouseland/cellpose-sam/{name}" for name in ("README.md", "cpsam_v2")]
    assert run("remove", "cellpose")["removed"] == ["mouseland/cellpose-sam/cpsam_v2"]
    assert "The segmenter from mouseland" in run("check", "cellpose")["error"]
    bundled = [name for name, family in BUILT_IN.items() if family.bundled]
    assert run("import", tmp_path / "stick")["installed"] == [*bundled, "cellpose"]


def test_cellposes_own_folder_is_left_alone(run, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path))
    (tmp_path / "cpsam_v2").touch()
    (row,) = (row for row in run("list")["families"] if row["name"] == "cellpose")
    assert row["where"] == ["cellpose"]
    assert run("remove", "cellpose")["removed"] == []
    assert (tmp_path / "cpsam_v2").exists()


def test_an_unknown_family_is_refused(run) -> None:
    assert "There is no family “x”. Choose one of" in run("get", "x", "--yes")["error"]


def test_a_missing_file_of_the_users_is_explained(run, tmp_path) -> None:
    from napari_pixcell.models.own_families import families_folder

    families_folder().mkdir(parents=True)
    text = f'base = "demo"\n[lora]\nfile = "{(tmp_path / "a.safetensors").as_posix()}"\n'
    (families_folder() / "mine.toml").write_text(text)
    result = run("get", "mine", "--yes")
    assert "The lora of mine is your own and is missing. Put its files back" in result["error"]


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("answer", ["y", "n"])
def test_get_asks_for_agreement_on_a_terminal(hub, answer) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "napari_pixcell.cli.main", "models", "get", "pixcell-256"]
    os.write(ours, f"{answer}\n".encode())
    done = subprocess.run(
        command, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, text=True, timeout=60
    )
    said = os.read(ours, 100_000).decode()
    os.close(theirs)
    os.close(ours)
    assert "PixCell-256 needs 5.5 GB" in done.stdout and "Get it? [y/N]" in done.stdout
    assert done.returncode == (0 if answer == "y" else 1)
    assert (missing(PIXCELL_256) == []) == (answer == "y")
    if answer == "n":
        assert "Nothing was downloaded." in said
        assert hub.requests == []
    else:
        assert "Downloading " in said
