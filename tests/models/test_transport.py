"""Weight sets exported, imported, checked and removed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from napari_pixcell.cli.main import main
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import UMASK
from napari_pixcell.models import catalogue
from napari_pixcell.models.catalogue import DEMO, PIXCELL_256, PIXCELL_256_CELLS
from napari_pixcell.models.hub import download
from napari_pixcell.models.integrity import family_problems, header_problem, uncompared_files
from napari_pixcell.models.manifest import add_to_manifest, partial_path, read_manifest
from napari_pixcell.models.store import find, licence_text, missing, weights_folder
from napari_pixcell.models.transport import export_family, import_folder, remove

TRANSFORMER = PIXCELL_256.parts[0]
WEIGHTS = f"{TRANSFORMER.hub_id}/{TRANSFORMER.weights}"


@pytest.fixture
def exported(hub, tmp_path) -> Path:
    """An export of PixCell-256, which is no longer in the cache."""
    download(PIXCELL_256.parts)
    export_family(PIXCELL_256, tmp_path / "stick")
    shutil.rmtree(os.environ["HF_HUB_CACHE"])
    assert len(missing(PIXCELL_256)) == 4
    return tmp_path / "stick"


def test_an_export_is_plain_and_complete(hub, exported) -> None:
    for part in PIXCELL_256.parts:
        for name in part.files:
            data = hub.repositories[part.hub_id][name]
            assert (exported / part.hub_id / name).read_bytes() == data
    assert (exported / "MahmoodLab/UNI2-h/LICENSE").read_text() == "Only for research.\n"
    value = json.loads((exported / "manifest.json").read_text())
    assert value["files"][WEIGHTS]["size"] == (exported / WEIGHTS).stat().st_size
    files = {str(p.relative_to(exported)) for p in exported.rglob("*") if p.is_file()}
    assert files == {*value["files"], "manifest.json"}


def test_an_export_is_imported_without_a_network(hub, exported, weights) -> None:
    hub.close()
    seen = []
    assert import_folder(exported, lambda *event: seen.append(event)) == weights
    assert seen[-1][0] == seen[-1][1]
    assert missing(PIXCELL_256) == []
    assert "Only for research." in licence_text(PIXCELL_256.parts[3])
    assert family_problems(PIXCELL_256) == []
    assert import_folder(exported) == weights  # a second import changes nothing


def test_without_a_folder_of_weights_the_imported_one_becomes_it(exported) -> None:
    import_folder(exported)
    assert weights_folder() == exported
    assert missing(PIXCELL_256) == []


def test_two_families_are_exported_to_one_folder(hub, tmp_path) -> None:
    download(PIXCELL_256.parts)
    download(PIXCELL_256_CELLS.parts)
    export_family(PIXCELL_256, tmp_path / "stick")
    export_family(PIXCELL_256_CELLS, tmp_path / "stick")
    names = read_manifest(tmp_path / "stick")
    assert all(f"{p.hub_id}/{p.weights}" in names for p in PIXCELL_256_CELLS.parts)
    assert WEIGHTS in names


def test_only_installed_families_are_exported(hub, tmp_path) -> None:
    with pytest.raises(PixCellError, match="PixCell-256 is not installed"):
        export_family(PIXCELL_256, tmp_path / "stick")
    assert not (tmp_path / "stick").exists()


def test_bundled_families_are_neither_exported_nor_removed(tmp_path) -> None:
    with pytest.raises(PixCellError, match="is part of napari-pixcell and cannot be exported"):
        export_family(DEMO, tmp_path)
    with pytest.raises(PixCellError, match="is part of napari-pixcell and cannot be removed"):
        remove(DEMO)


def test_the_users_own_files_stay_where_they_are(hub, tmp_path) -> None:
    (tmp_path / "mine").mkdir()
    own = tmp_path / "mine" / "lora.safetensors"
    own.write_bytes(b"x")
    lora = catalogue.Part(
        "lora", "pixcell-transformer", "", (own.name,), 1, "", folder=tmp_path / "mine"
    )
    family = replace(PIXCELL_256, name="mine", title="Mine", parts=(lora, *PIXCELL_256.parts))
    with pytest.raises(PixCellError, match=r"The lora of Mine is your own\. Copy mine and the"):
        export_family(family, tmp_path / "stick")
    download(PIXCELL_256.parts)
    assert remove(family) == []  # all other files are PixCell-256's
    assert len(remove(family, shared=True)) == 6
    assert own.exists()


# ---- refused imports


def assert_refused(folder: Path, message: str) -> None:
    before = weights_folder()
    with pytest.raises(PixCellError, match=message):
        import_folder(folder)
    assert weights_folder() == before
    assert len(missing(PIXCELL_256)) == 4


def test_a_damaged_file_is_refused(exported) -> None:
    data = (exported / WEIGHTS).read_bytes()
    (exported / WEIGHTS).write_bytes(data[:-1] + b"!")
    assert_refused(
        exported, r"safetensors in stick is damaged: its hash differs\. Export the family"
    )
    (exported / WEIGHTS).write_bytes(data[:-1])
    assert_refused(exported, r"safetensors in stick has the wrong size\. Export the family")


def test_a_missing_file_is_refused(exported) -> None:
    (exported / WEIGHTS).unlink()
    assert_refused(exported, r"safetensors in stick is missing\. Export the family again\.")


def test_a_name_outside_the_folder_is_refused(exported) -> None:
    path = exported / "manifest.json"
    text = path.read_text()
    for name in (
        "../../evil/x",
        "/etc/a/passwd",
        "a/../../b/c",
        "a\\b/c/d",
        "a/b",
        "C:/b/c",
        "a//b/c",
    ):
        value = json.loads(text)
        value["files"][name] = {"size": 1, "sha256": "0" * 64}
        path.write_text(json.dumps(value))
        assert_refused(exported, "which is not a weight file, so nothing was done")


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_a_link_out_of_the_folder_is_refused(exported, tmp_path) -> None:
    (tmp_path / "secret").write_bytes((exported / WEIGHTS).read_bytes())
    (exported / WEIGHTS).unlink()
    (exported / WEIGHTS).symlink_to(tmp_path / "secret")
    assert_refused(exported, "which is not a weight file, so nothing was done")


def test_a_damaged_manifest_is_refused(exported) -> None:
    for text in ("{torn", "[]", '{"format": "x", "files": {}}', "[" * 100_000):
        (exported / "manifest.json").write_text(text)
        assert_refused(
            exported, r"The manifest\.json in stick cannot be read\. Export the family again"
        )


def test_an_import_never_overwrites_the_users_files(exported, weights) -> None:
    (weights / WEIGHTS).parent.mkdir(parents=True)
    (weights / WEIGHTS).write_bytes(b"mine")
    with pytest.raises(PixCellError, match=r"weights already contains a different .*Move it"):
        import_folder(exported)
    assert (weights / WEIGHTS).read_bytes() == b"mine"
    shutil.copy(exported / WEIGHTS, weights / WEIGHTS)
    import_folder(exported)
    assert WEIGHTS not in remove(PIXCELL_256)


def test_a_folder_without_an_export_is_refused(hub, tmp_path) -> None:
    assert_refused(tmp_path / "none", "There is no folder none\\. Choose one")
    (tmp_path / "empty").mkdir()
    assert_refused(tmp_path / "empty", r"empty contains no manifest\.json\. Choose a folder")


def test_an_import_to_a_full_disk_leaves_nothing_behind(exported, tmp_path, monkeypatch) -> None:
    small = tmp_path / "small"
    small.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(small)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a small disk can only be mounted as root")
    try:
        monkeypatch.setenv("PIXCELL_WEIGHTS", str(small))
        assert_refused(
            exported, r"weights need 600 kB, but only 307 kB are free in small\. Free some"
        )
        free = shutil.disk_usage("/")
        # Another program may fill the disk after the check.
        monkeypatch.setattr("shutil.disk_usage", lambda path: free)
        assert_refused(exported, "The disk of small is full\\. Free some space")
        assert not [p for p in small.rglob("*") if p.is_file()]
    finally:
        subprocess.run(["umount", small], check=True)


@pytest.mark.skipif(os.name == "nt", reason="needs a file where a folder should be")
def test_an_export_to_a_folder_that_cannot_be_written_is_explained(hub, tmp_path) -> None:
    download(PIXCELL_256.parts)
    (tmp_path / "file").write_text("")
    with pytest.raises(PixCellError, match=r"file cannot be used .*Choose a folder"):
        export_family(PIXCELL_256, tmp_path / "file")


def test_an_interrupted_import_resumes(exported, weights) -> None:
    """It was killed after one file, in the middle of another."""
    files = read_manifest(exported)
    second = min(name for name in files if not name.startswith(TRANSFORMER.hub_id))
    (weights / second).parent.mkdir(parents=True)
    shutil.copy(exported / second, weights / second)
    add_to_manifest(weights, {second: files[second], WEIGHTS: files[WEIGHTS]})
    data = (exported / WEIGHTS).read_bytes()
    (weights / WEIGHTS).parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(weights / WEIGHTS, files[WEIGHTS].sha256)
    partial.write_bytes(data[:150_000])
    before = partial.stat().st_ino
    import_folder(exported)
    assert (weights / WEIGHTS).stat().st_ino == before  # the same file, continued
    assert (weights / WEIGHTS).read_bytes() == data
    assert family_problems(PIXCELL_256) == [] and read_manifest(weights) == files
    remove(PIXCELL_256)
    assert not any(weights.iterdir())


def test_an_interrupt_keeps_what_was_copied(exported, weights) -> None:
    def interrupt(done: int, total: int, message: str) -> None:
        if message.startswith("Copying") and done > 300_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_folder(exported, interrupt)
    there = [path for path in weights.rglob("*") if path.suffix in (".safetensors", ".bin")]
    assert there
    times = [path.stat().st_mtime_ns for path in there]
    import_folder(exported)
    assert [path.stat().st_mtime_ns for path in there] == times
    assert missing(PIXCELL_256) == []


def test_a_partial_copy_that_is_damaged_is_copied_again(exported, weights) -> None:
    entry = read_manifest(exported)[WEIGHTS]
    partial = partial_path(weights / WEIGHTS, entry.sha256)
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"x" * 1000)
    with pytest.raises(PixCellError, match=r"arrived damaged.*Import the folder again"):
        import_folder(exported)
    import_folder(exported)
    assert family_problems(PIXCELL_256) == []


@pytest.mark.skipif(os.name == "nt", reason="needs permissions")
@pytest.mark.parametrize("location", ["cache", "folder", "import"])
def test_weights_can_be_read_by_the_group(hub, request, location, tmp_path) -> None:
    if location == "cache":
        download(PIXCELL_256.parts)
    elif location == "folder":
        request.getfixturevalue("weights")
        download(PIXCELL_256.parts)
    else:
        export = request.getfixturevalue("exported")
        for path in export.rglob("*"):
            if path.is_file():
                path.chmod(0o600)
        request.getfixturevalue("weights")
        import_folder(export)
    for part in PIXCELL_256.parts:
        for path in find(part).files.values():
            assert path.stat().st_mode & 0o777 == 0o666 & ~UMASK
    folder = weights_folder()
    if folder is not None:
        assert (folder / "manifest.json").stat().st_mode & 0o777 == 0o666 & ~UMASK


@pytest.mark.parametrize(
    "entry",
    [
        {"size": -1, "sha256": "0" * 64},
        {"size": 1 << 60, "sha256": "0" * 64},
        {"size": 1e400, "sha256": "0" * 64},
        {"size": "1", "sha256": "0" * 64},
        {"size": None, "sha256": "0" * 64},
        {"size": 1},
        [],
        None,
    ],
)
def test_an_absurd_entry_of_a_manifest_is_refused(entry, tmp_path) -> None:
    value = {"format": "napari-pixcell weights 1", "files": {"a/b/c": entry}}
    (tmp_path / "manifest.json").write_text(json.dumps(value))
    with pytest.raises(PixCellError, match=r"cannot be read\. Export the family again"):
        read_manifest(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="needs a pipe")
def test_a_pipe_in_place_of_a_manifest_is_not_opened(tmp_path) -> None:
    os.mkfifo(tmp_path / "manifest.json")
    with pytest.raises(PixCellError, match=r"cannot be read\. Export the family again"):
        import_folder(tmp_path)


# ---- remove


@pytest.fixture(params=["links", "copies"])
def links(request, monkeypatch) -> bool:
    """Whether the disk of the cache has links."""
    if request.param == "copies":
        supported = "huggingface_hub.file_download.are_symlinks_supported"
        monkeypatch.setattr(supported, lambda *_: False)
    return request.param == "links"


def test_removal_leaves_nothing_in_the_cache(hub, links) -> None:
    cache = Path(os.environ["HF_HUB_CACHE"])
    download(PIXCELL_256.parts)
    assert find(TRANSFORMER).weights.is_symlink() == links
    remove(PIXCELL_256)
    left = [path for path in cache.rglob("*") if path.is_file() or path.is_symlink()]
    assert [path.name for path in left if path.name != "CACHEDIR.TAG"] == []
    assert not list(cache.glob("models--*"))


def test_a_check_compares_hashes_with_and_without_links(hub, links) -> None:
    download(PIXCELL_256.parts)
    assert family_problems(PIXCELL_256) == uncompared_files(PIXCELL_256) == []
    path = find(TRANSFORMER).weights.resolve()
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    (problem,) = family_problems(PIXCELL_256)
    assert "is damaged: its hash differs. Remove it and get it again." in problem


def test_a_check_names_the_files_whose_hash_is_not_known(hub, weights, capsys) -> None:
    path = weights / WEIGHTS
    path.parent.mkdir(parents=True)
    path.write_bytes(hub.repositories[TRANSFORMER.hub_id][TRANSFORMER.weights])
    download(PIXCELL_256.parts)
    assert uncompared_files(PIXCELL_256) == [WEIGHTS]
    assert main(["models", "check", "pixcell-256"]) == 0
    text = capsys.readouterr().out
    assert "those without a known hash were not compared" in text and WEIGHTS in text


@pytest.mark.parametrize("location", ["cache", "folder"])
def test_removal_keeps_files_that_another_family_uses(hub, request, location) -> None:
    if location == "folder":
        request.getfixturevalue("weights")
    download(PIXCELL_256.parts)
    download(PIXCELL_256_CELLS.parts)
    removed = remove(PIXCELL_256)
    assert WEIGHTS in removed and not any("UNI2-h" in name for name in removed)
    assert missing(PIXCELL_256_CELLS) == []
    assert [part.kind for part in missing(PIXCELL_256)] == ["transformer", "scheduler"]
    remove(PIXCELL_256_CELLS)
    assert len(missing(PIXCELL_256_CELLS)) == 5
    if location == "folder":
        assert not any(weights_folder().iterdir())
    else:
        left = list(Path(os.environ["HF_HUB_CACHE"]).rglob("*.safetensors"))
        assert left == []
        blobs = Path(os.environ["HF_HUB_CACHE"]).glob("*/blobs/*")
        assert all(p.stat().st_size < 1000 for p in blobs)  # cards only


def test_removal_includes_partial_downloads(hub) -> None:
    hub.cuts = [60_000] + [0] * 4
    with pytest.raises(PixCellError):
        download([TRANSFORMER])
    assert list(Path(os.environ["HF_HUB_CACHE"]).rglob("*.part"))
    remove(PIXCELL_256)
    assert not list(Path(os.environ["HF_HUB_CACHE"]).rglob("*.part"))


def test_removal_keeps_the_users_files_in_the_folder(hub, weights) -> None:
    path = weights / WEIGHTS
    path.parent.mkdir(parents=True)
    path.write_bytes(hub.repositories[TRANSFORMER.hub_id][TRANSFORMER.weights])
    download(PIXCELL_256.parts)
    removed = remove(PIXCELL_256)
    assert WEIGHTS not in removed and len(removed) > 4
    assert path.exists()


# ---- check


@pytest.mark.parametrize("location", ["cache", "folder"])
def test_a_check_reports_damaged_and_missing_files(hub, request, location) -> None:
    if location == "folder":
        request.getfixturevalue("weights")
    download(PIXCELL_256.parts)
    assert family_problems(PIXCELL_256) == []
    found = find(TRANSFORMER)
    path, config = found.weights.resolve(), found.config.resolve()
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    config.write_text("{}")
    problems = family_problems(PIXCELL_256)
    assert len(problems) == 2
    assert "is damaged: its hash differs. Remove it and get it again." in problems[0]
    path.write_bytes(data[:-100])
    assert "is cut off. Remove it and get it again." in family_problems(PIXCELL_256)[0]
    path.unlink()
    assert family_problems(PIXCELL_256)[0] == (
        f"The transformer from {TRANSFORMER.hub_id} is missing. Get pixcell-256 again."
    )


def framed(header: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header


def test_a_damaged_header_is_reported(tmp_path) -> None:
    path = tmp_path / "x.safetensors"
    for data, problem in (
        (b"", "is cut off or not a safetensors file"),
        (b"\xff" * 100, "is cut off or not a safetensors file"),
        ((5).to_bytes(8, "little") + b"{torn", "has a damaged header"),
        (framed(b'{"a": {"data_offsets": [0, 1e400]}}'), "has a damaged header"),
        (framed(b'{"a": {"data_offsets": [0]}}'), "has a damaged header"),
        (framed(b'{"a": 5}'), "has a damaged header"),
        (framed(b"[1]"), "has a damaged header"),
        (framed(b"[" * 100_000), "has a damaged header"),
        ((2).to_bytes(8, "little") + b"{}more", "is cut off"),
        ((2).to_bytes(8, "little") + b"{}", ""),
    ):
        path.write_bytes(data)
        assert header_problem(path) == problem
    assert header_problem(tmp_path / "x.bin") == ""


def test_the_bundled_family_is_whole() -> None:
    assert family_problems(DEMO) == []
    assert all(find(part) is not None for part in DEMO.parts)
