"""Cost of saving a session: time in the main thread, time in the writing thread, bytes.

    python benchmarks/saving.py

Saves three regions of 1024 × 1024 px with their layouts and 50 variants. Then saves a stroke on a
layout, and a new name.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

import numpy as np
from pictures import tissue
from scripted import ScriptedClient
from tifffile import imwrite

from napari_pixcell.slides import Region, open_slide
from napari_pixcell.studio.session import Session


def made(slide: Path) -> Session:
    """Return a session with contents. The variants are noise, the worst case to compress."""
    session = Session(ScriptedClient())
    session.saver.start()
    session.slides.set(open_slide(slide))
    for x, y in ((0, 0), (1100, 0), (0, 1100)):
        session.regions.draw(Region(x, y, 1024, 1024))
        session.wait(60)
        session.segmentation.segment()
        session.wait(120)
    session.settings.count = 50
    session.generator.generate()
    session.wait(60, until=lambda: not session.background.busy)
    session.client.play()
    session.wait(60)
    noise = np.random.default_rng(0)
    for result in session.gallery.results:
        result.image[:] = noise.integers(0, 256, result.image.shape, np.uint8)
    return session


def timed(session: Session, what: str) -> None:
    """Save, and print the cost."""
    taken = []
    for _ in range(20):
        begin = time.perf_counter()
        session.snapshots.take(session.slides.key, session.saver._strokes)
        taken.append(1e3 * (time.perf_counter() - begin))
    folder = session.saver.book().folder
    before = set() if folder is None else {p.name for p in folder.files.iterdir()}
    begin = time.perf_counter()
    session.saver.flush(120)
    wrote = time.perf_counter() - begin
    folder = session.saver.book().folder
    new = [p for p in folder.files.iterdir() if p.name not in before]
    size = sum(p.stat().st_size for p in new) + (folder.path / "session.json").stat().st_size
    print(
        f"{what}: snapshot {statistics.median(taken):.2f} ms (longest {max(taken):.2f}) in the "
        f"main thread; {1e3 * wrote:.0f} ms in a thread; {len(new)} files, {size / 1e6:.2f} MB"
    )


def main() -> None:
    """Measure."""
    os.environ["PIXCELL_SESSIONS"] = "1"
    with tempfile.TemporaryDirectory() as place:
        for name in ("DATA", "CACHE", "CONFIG"):
            os.environ[f"PIXCELL_{name}_DIR"] = f"{place}/{name}"
        slide = Path(place) / "case.tif"
        imwrite(slide, tissue(2200), resolution=(2e4, 2e4), resolutionunit="CENTIMETER")
        session = made(slide)
        session.saver._dirty.clear()
        session.regions.rename(1, "first")
        timed(session, "all of it")
        session.regions.current[0].layout[100:110, 100:110] = 9
        session.layouts.edited(1)
        timed(session, "a stroke")
        session.regions.rename(1, "second")
        timed(session, "a name")
        begin = time.perf_counter()
        session.saver.before_removal()
        print(f"before a layer is removed: {1e3 * (time.perf_counter() - begin):.2f} ms")
        path = session.saver.book().folder.path
        session.close()
        session.saver._thread.shutdown(wait=True)
        again = Session(ScriptedClient())
        again.saver.start()
        begin = time.perf_counter()
        again.restoring.open(path)
        longest = 0.0
        while again.background.busy:
            turn = time.perf_counter()
            again.pump()
            longest = max(longest, time.perf_counter() - turn)
            time.sleep(0.01)
        print(
            f"opened in {time.perf_counter() - begin:.1f} s, {len(again.gallery.results)} variants;"
            f" longest turn of the main thread: {1e3 * longest:.0f} ms"
        )
        again.close()
        again.saver._thread.shutdown(wait=True)


if __name__ == "__main__":
    main()
