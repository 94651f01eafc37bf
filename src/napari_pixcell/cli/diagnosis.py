"""Findings of the doctor, and those about folders and memory that napari and its worker share."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from napari_pixcell.errors import PixCellError
from napari_pixcell.folders import cache_folder, config_folder, data_folder
from napari_pixcell.models.catalogue import BUILT_IN
from napari_pixcell.models.memory import this_machine
from napari_pixcell.models.own_families import families_folder, read_own_family
from napari_pixcell.words import counted, file_size
from napari_pixcell.worker.blocks import create, remove_leftovers
from napari_pixcell.worker.client import log_path

ENOUGH_SHARED = 250_000_000  # bytes, for the images of the largest request kept in memory


@dataclass(frozen=True)
class Diagnosis:
    """One finding."""

    topic: str
    found: str
    fix: str = ""  # what to do; empty if all is well
    failed: bool = False  # the studio does not work without the fix

    @property
    def grade(self) -> Literal["PASS", "WARN", "FAIL"]:
        """``PASS``, ``WARN`` (something does less than it could) or ``FAIL``."""
        if self.failed:
            return "FAIL"
        return "WARN" if self.fix else "PASS"

    def __str__(self) -> str:
        return f"{self.grade}  {self.topic}: {self.found}" + (f" → {self.fix}" if self.fix else "")

    def to_dict(self) -> dict[str, str]:
        """Convert to a JSON value."""
        return {"grade": self.grade, "topic": self.topic, "found": self.found, "fix": self.fix}


Diagnoses = Iterator[Diagnosis]


def shared_memory() -> Diagnoses:
    """Check what images travel through between napari and the worker."""
    removed = remove_leftovers()
    fix = "free some space in the temporary folder, or set TMPDIR to another one"
    try:
        handle, path = create(ENOUGH_SHARED)
    except OSError as error:
        found = f"{file_size(ENOUGH_SHARED)} cannot be reserved ({error.strerror})"
        yield Diagnosis("shared memory", found, fix, failed=True)
        return
    os.close(handle)
    if path is None:
        found = f"writable, {file_size(this_machine().host)} free"
    else:
        path.unlink()
        found = f"files in {path.parent}, {file_size(shutil.disk_usage(path.parent).free)} free"
    if removed:
        found += f"; {counted(removed, 'leftover block was', 'leftover blocks were')} removed"
    yield Diagnosis("shared memory", found)


def own_families() -> Diagnoses:
    """Check the families in the settings folder; one that is broken does not hide the others."""
    paths = sorted(families_folder().glob("*.toml"))
    problems = {path.stem: problem for path in paths if (problem := _own_problem(path))}
    yield Diagnosis("own families", f"{len(paths) - len(problems)} of {len(paths)} can be used")
    for name, problem in problems.items():
        yield Diagnosis(f"own family {name}", "it cannot be used", problem)


def _own_problem(path: Path) -> str:
    try:
        read_own_family(path, BUILT_IN)
    except PixCellError as error:
        return str(error)
    except Exception as error:
        return f"{path.name} is damaged ({type(error).__name__}). Correct or remove it."
    return ""


def folders() -> Diagnoses:
    """Check that the folders of settings, caches, data and logs are writable."""
    for topic, folder, variable in (
        ("settings folder", config_folder(), "PIXCELL_CONFIG_DIR"),
        ("cache folder", cache_folder(), "PIXCELL_CACHE_DIR"),
        ("data folder", data_folder(), "PIXCELL_DATA_DIR"),
        ("log folder", log_path().parent, ""),
    ):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            fix = f"make it writable, or set {variable} to another folder"
            if not variable:  # the worker runs without its log
                fix = f"make {folder} writable to get the log of the worker"
            found = f"not writable ({error.strerror})"
            yield Diagnosis(topic, found, fix, failed=bool(variable))
        else:
            yield Diagnosis(topic, f"{_without_home(folder)}, writable")


def _without_home(folder: Path) -> str:
    """Return a path as text without the name of the user, since findings go into reports."""
    home = Path.home()
    return str(Path("~") / folder.relative_to(home) if folder.is_relative_to(home) else folder)
