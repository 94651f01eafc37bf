"""Kills a process again and again while it saves a session, and looks at what it left.

``killed_while_saving.py FOLDER TIMES``: each round a child goes on with the session, and tells
through a pipe how far it has been saved; after a while of random length it is killed.
"""

from __future__ import annotations

import os
import random
import select
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import numpy as np
from pictures import tissue
from scripted import ScriptedClient
from settling import settled
from tifffile import imwrite

from napari_pixcell.slides import open_slide
from napari_pixcell.studio.saving.document import OLDER, read_document
from napari_pixcell.studio.saving.folder import SessionFolder
from napari_pixcell.studio.saving.loading import Loader
from napari_pixcell.studio.session import Session


def child(slide: Path, folder: Path, pipe: int) -> None:
    """Work on a session for ever; write to the pipe what is safe."""
    session = Session(ScriptedClient())
    session.saver.start()
    session.saver.pause = 0.01
    session.saver.longest = 0.02
    session.settings.count = 1
    if folder.exists():
        session.restoring.open(folder)
        settled(session)
        assert not session.notices.problems, session.notices.problems
    else:
        session.slides.set(open_slide(slide))
        session.regions.add((300, 300))
        session.wait(20)
        session.layouts.new()
    item = session.regions.current[0]
    number = int(item.name.removeprefix("Region "))
    session.saver.flush()
    while True:
        number += 1
        session.regions.rename(item.number, f"Region {number}")
        item.layout[:] = number
        session.layouts.edited(item.number)
        session.generator.generate()
        settled(session)
        session.client.play()
        settled(session)
        for old in session.gallery.results[:-3]:
            session.gallery.discard(old)
        session.saver.flush()
        os.write(pipe, f"{number}\n".encode())


def main(place: Path, times: int) -> None:
    """Start, kill, look."""
    os.environ["PIXCELL_SESSIONS"] = "1"
    for name in ("DATA", "CACHE", "CONFIG"):
        os.environ[f"PIXCELL_{name}_DIR"] = str(place / name)
    slide, folder = place / "case.tif", place / "case.pixcell"
    imwrite(slide, tissue(600), resolution=(2e4, 2e4), resolutionunit="CENTIMETER")
    killed, last = 0, 0
    while killed < times:
        reader, writer = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                child(slide, folder, writer)
            finally:
                os._exit(1)
        os.close(writer)
        if not last:
            select.select([reader], [], [], 20)  # until there is something to lose
        time.sleep(random.uniform(0.0, 0.2))
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status), "the child failed"
        safe = [int(line) for line in os.read(reader, 100_000).split()] if _readable(reader) else []
        os.close(reader)
        killed += 1
        last = look(folder, max(safe, default=last))
    sys.stdout.write(f"{killed} times killed, at {last}\n")


def _readable(reader: int) -> bool:
    return bool(select.select([reader], [], [], 0)[0])


def look(folder: Path, safe: int) -> int:
    """Read all of a session; it must be whole, and at least as far as was told."""
    document = read_document(folder)
    assert not document[OLDER], "session.json was damaged"
    loader = Loader(SessionFolder(folder), document, "slide")
    (item,) = loader.regions()
    results = [loader.result(value) for value in document["results"]]
    loader.jobs()
    assert not loader.lost, loader.lost
    number = int(item.name.removeprefix("Region "))
    assert number >= safe, f"{safe} was saved, and {number} is there"
    assert item.layout is not None and item.embedding is not None
    if number > 1:
        assert np.abs(item.layout - number).max() <= 1
        assert results
    return number


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
