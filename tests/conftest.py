"""Real data for the tests: ``../shared``, or the folder in PIXCELL_SHARED."""

from __future__ import annotations

import contextlib
import gc
import itertools
import math
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from napari_pixcell.models.families import get_family
from napari_pixcell.studio.generation import pacing

if TYPE_CHECKING:
    from napari_pixcell.worker.client import WorkerClient

# Many processes import the package and the tests: compile them once.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

PARALLEL = "PYTEST_XDIST_WORKER" in os.environ
if PARALLEL:
    # Several processes test at once: threads of each, and of those that they start, would only
    # take the processor from one another. Nothing above imports NumPy or torch, which read these.
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")


def pytest_collection_finish() -> None:
    """Exclude all imports from garbage collection, which the engine runs whenever it unloads."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run first what needs the shared worker: processes steal from the end, and each starts one.

    Of these the tests in ``worker`` come first, which start it in a hostile folder.
    """
    items.sort(
        key=lambda item: (
            "running_worker" not in getattr(item, "fixturenames", ()),
            item.path.parent.name != "worker",
        )
    )


SHARED = Path(os.environ.get("PIXCELL_SHARED") or Path(__file__).parents[2] / "shared")


def need(path: Path) -> Path:
    """Give a path that exists; else skip with a reason, or fail in CI."""
    if not path.exists():
        reason = f"{path.name} is missing: set PIXCELL_SHARED to the folder that holds data/"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return path


@pytest.fixture(scope="session")
def shared() -> Path:
    return need(SHARED)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    return need(SHARED / "data")


@pytest.fixture(scope="session")
def cmu_slide(shared_data: Path) -> Path:
    return need(shared_data / "wsi_cmu1_small_region" / "CMU-1-Small-Region.svs")


@pytest.fixture(scope="session")
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folders of one test each; ``mktemp`` for each of them would take a second a hundred."""
    top = tmp_path_factory.mktemp("own")
    return (top / str(number) for number in itertools.count())


@pytest.fixture(scope="session", autouse=True)
def quick_disk() -> Iterator[None]:
    """Leave out that the disk syncs each file, which takes milliseconds.

    What survives a power cut is tested without it, by ``support/faults.py``.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def drawn_at_once() -> Iterator[None]:
    """Draw progress and previews at every turn: in tests the turns are late, and are looked at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pacing, "ON_TIME_S", math.inf)
        yield


PARTS = "config", "cache", "data", "cellpose", "huggingface"
LATE = 64  # tests after which a thread of an earlier one has written what it still writes


@pytest.fixture(scope="session")
def used_folders() -> deque[Path]:
    """Folders of earlier tests, the oldest first."""
    return deque()


def empty_folder(used: deque[Path], new: Iterator[Path]) -> Path:
    """Give a folder with empty parts: of a test that wrote nothing, or else a new one.

    A disk may take milliseconds to remove each part, and most tests use none of them.
    """
    while len(used) > LATE:
        folder = used.popleft()
        with contextlib.suppress(OSError):  # a part was removed or closed
            parts = [folder / part for part in PARTS]
            if all(os.access(part, os.W_OK) and not any(part.iterdir()) for part in parts):
                return folder
    folder = next(new)
    for part in PARTS:
        (folder / part).mkdir(parents=True)
    return folder


@pytest.fixture(autouse=True)
def own_settings(
    own_folders: Iterator[Path],
    used_folders: deque[Path],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    """Keep the tests out of the user's settings, caches, weights and tokens."""
    folder = empty_folder(used_folders, own_folders)
    for name in ("config", "cache", "data"):
        monkeypatch.setenv(f"PIXCELL_{name.upper()}_DIR", str(folder / name))
    monkeypatch.setenv("PIXCELL_SESSIONS", "0")  # nothing beside the slides that tests open
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(folder / "cellpose"))
    home = folder / "huggingface"
    for name in (
        "PIXCELL_WEIGHTS",
        "HF_TOKEN",
        "HUGGING_FACE_HUB_TOKEN",
        "HF_HUB_OFFLINE",
        "HF_ENDPOINT",
    ):
        monkeypatch.delenv(name, raising=False)
    places = {"HF_HOME": home, "HF_HUB_CACHE": home / "hub", "HF_TOKEN_PATH": home / "token"}
    for name, path in places.items():
        monkeypatch.setenv(name, str(path))  # for processes started by a test
        monkeypatch.setattr(f"huggingface_hub.constants.{name}", str(path))  # read at import
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    yield
    if "running_worker" not in request.fixturenames:  # which may keep this folder
        used_folders.append(folder)


@pytest.fixture(scope="session")
def running_worker() -> Iterator[WorkerClient]:
    """A real worker that all tests share, since its start takes seconds.

    It keeps the environment of the test that uses it first.
    """
    from napari_pixcell.worker.client import WorkerClient

    client = WorkerClient()
    yield client
    client.close()


@pytest.fixture(scope="session")
def tiny_cellpose(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model of Cellpose's own class that finds discs, made once for all test processes."""
    from tiny_cellpose import write_tiny

    folder = tmp_path_factory.getbasetemp()
    if PARALLEL:
        folder = folder.parent
    path = folder / "tiny cellpose" / "tiny"
    with FileLock(folder / "tiny cellpose.lock"):
        if not path.exists():
            path.parent.mkdir()
            if "torch" in sys.modules:
                write_tiny(path)
            else:  # in a process of its own: tests of the window stay without torch
                script = Path(__file__).parent / "support" / "tiny_cellpose.py"
                subprocess.run([sys.executable, script, path], check=True)
    return path


@pytest.fixture
def pretend_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Put empty files under the published names, for those who only look whether they are there."""

    def install() -> None:
        folder = tmp_path / "pretended"
        for name in ("pixcell-256", "pixcell-256-cells", "pixcell-1024"):
            for part in get_family(name).parts:
                for file in part.files:
                    path = folder / part.hub_id / file
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.touch()
        monkeypatch.setenv("PIXCELL_WEIGHTS", str(folder))

    return install
