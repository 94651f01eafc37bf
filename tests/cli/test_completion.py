"""``napari-pixcell completion``: what shells offer."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from napari_pixcell.cli.main import main

ASK = """
source {script}
COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMP_LINE="${{COMP_WORDS[*]}}"
COMP_POINT=${{#COMP_LINE}}
handler=$(complete -p napari-pixcell | sed 's/.*-F \\([^ ]*\\).*/\\1/')
COMPREPLY=(); $handler napari-pixcell "${{COMP_WORDS[-1]}}" "${{COMP_WORDS[-2]}}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "napari-pixcell"
    with path.open("w") as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", file)
        assert main(["completion", "bash"]) == 0
    return path


def offered(script: Path, words: str, folder: Path) -> set[str]:
    """Return what bash offers for the last of some words."""
    command = ASK.format(script=script, words=f"napari-pixcell {words}")
    done = subprocess.run(
        ["bash", "--norc", "-c", command], capture_output=True, text=True, check=True, cwd=folder
    )
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_commands_options_choices_files_and_folders(script, tmp_path) -> None:
    (tmp_path / "slide.svs").touch()
    (tmp_path / "slides").mkdir()
    for words, there, missing in (
        ("''", {"info", "dataset", "completion"}, {"make", "--json"}),
        ("gen", {"generate"}, {"info"}),
        ("dataset ''", {"make", "twin", "check"}, {"info"}),
        ("generate --de", {"--device", "--debug"}, {"--json"}),
        ("generate --method ''", {"ours", "published"}, {"slide.svs"}),
        ("completion ''", {"bash", "zsh", "tcsh"}, set()),
        ("info sl", {"slide.svs"}, set()),
        ("rerun --slide sl", {"slide.svs"}, set()),
        ("dataset check sl", {"slides"}, {"slide.svs"}),
        ("generate --out sl", {"slides"}, {"slide.svs"}),
        ("dataset make --", {"--plan", "--out"}, {"--count"}),
        ("dataset evaluate --out", {"--out"}, {"--output"}),
    ):
        found = {word.rstrip("/") for word in offered(script, words, tmp_path)}
        assert there <= found and not missing & found, (words, found)


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells_get_their_scripts(shell, capsys, tmp_path) -> None:
    assert main(["completion", shell]) == 0
    text = capsys.readouterr().out
    assert "napari-pixcell" in text and "dataset" in text and "--output" not in text
    assert "_files" in text if shell == "zsh" else "complete napari-pixcell" in text
    if shutil.which(shell) is None:
        return
    path = tmp_path / "script"
    path.write_text(text)
    subprocess.run([shell, "-n", str(path)], check=True)


def test_programs_get_the_script_as_json(script, capsys) -> None:
    assert main(["completion", "bash", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"script": script.read_text().rstrip("\n")}


def test_another_shell_is_refused(run) -> None:
    refused = run("completion", "fish")
    assert refused["code"] == 2 and "invalid choice: 'fish'" in refused["error"]
