"""Public data of figures are fetched after asking, from a server on this machine."""

from __future__ import annotations

import hashlib
import http.server
import io
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import data
import pytest
from data import DATA, PublicData, PublicFile, main

PIXELS = b"pixels of a slide"


class Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "slide.svs").write_bytes(PIXELS)
    handler = partial(Silent, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        thread = threading.Thread(target=served.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()
        thread.join()


def offer(monkeypatch: pytest.MonkeyPatch, url: str, sha256: str | None) -> None:
    files = (PublicFile("slide.svs", url, sha256),)
    monkeypatch.setitem(DATA, "slide", PublicData("slides", files, len(PIXELS), "CC0", "tests"))


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return tmp_path / "shared"


def test_files_are_fetched_only_after_agreement(
    server: str, top: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    offer(monkeypatch, f"{server}/slide.svs", hashlib.sha256(PIXELS).hexdigest())
    for answer in ("n\n", ""):
        monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        assert main(["slide", "--folder", str(top)]) == 1
        printed = capsys.readouterr()
        assert "Licence: CC0" in printed.out and "Nothing was downloaded" in printed.err
        assert not top.exists()
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert main(["slide", "--folder", str(top)]) == 0
    assert (top / "data" / "slides" / "slide.svs").read_bytes() == PIXELS


def test_a_file_that_is_there_is_not_fetched_again(
    server: str, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, f"{server}/slide.svs", hashlib.sha256(PIXELS).hexdigest())
    assert main(["slide", "--folder", str(top), "--yes"]) == 0
    offer(monkeypatch, f"{server}/gone", hashlib.sha256(PIXELS).hexdigest())
    assert main(["slide", "--folder", str(top), "--yes"]) == 0


def test_another_file_is_not_kept(
    server: str, top: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    offer(monkeypatch, f"{server}/slide.svs", "0" * 64)
    assert main(["slide", "--folder", str(top), "--yes"]) == 1
    assert "is not the file that the figures were measured with" in capsys.readouterr().err
    assert not list(top.rglob("*.svs"))


@pytest.mark.parametrize(
    ("address", "names", "message"),
    [
        ("/gone", ["slide"], "slide.svs could not be downloaded (HTTPError). Check"),
        ("/slide.svs", ["slides"], "There are no data “slides”. Choose some of: cmu1, ki67, slide"),
    ],
)
def test_what_goes_wrong_is_said_in_a_sentence(
    server: str, top: Path, monkeypatch, capsys, address: str, names: list[str], message: str
) -> None:
    offer(monkeypatch, server + address, None)
    assert main([*names, "--folder", str(top), "--yes"]) == 1
    assert message in capsys.readouterr().err


def test_without_pooch_it_says_how_to_install_it(server, top, monkeypatch, capsys) -> None:
    offer(monkeypatch, f"{server}/slide.svs", None)
    monkeypatch.setitem(sys.modules, "pooch", None)
    assert main(["slide", "--folder", str(top), "--yes"]) == 1
    assert capsys.readouterr().err.strip() == data.NO_POOCH


def test_the_list_tells_what_is_there(shared_data: Path, capsys) -> None:
    assert main(["--folder", str(shared_data.parent)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == list(DATA)
    # Hashes are those of the files with which the figures are measured.
    assert all("; there." in line for line in lines)
    sizes = [
        sum((shared_data / d.folder / f.name).stat().st_size for f in d.files)
        for d in DATA.values()
    ]
    assert sizes == [d.size for d in DATA.values()]
