"""``napari-pixcell doctor``: what works on this machine and, where something does not, the fix."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from napari_pixcell.folders import cache_folder, config_folder
from napari_pixcell.models.catalogue import BUILT_IN, CELLPOSE
from napari_pixcell.models.families import families, weight_sets
from napari_pixcell.models.memory import Machine, this_machine, verdict
from napari_pixcell.models.store import find, missing
from napari_pixcell.preferences import compile_wanted, preference

Grade = Literal["PASS", "WARN", "FAIL"]

GB = 1_000_000_000
PATIENCE_S = 60
ENOUGH_DISK = 10 * GB
ENOUGH_CACHE = GB // 2
BINDINGS = ("PyQt6", "PySide6", "PyQt5", "PySide2")

# In a process of its own: torch has no place beside a window, and a broken driver may crash it.
_TORCH = """
import json, torch
card = torch.cuda.is_available()
print(json.dumps({
    "version": torch.__version__,
    "device": torch.cuda.get_device_name(0) if card else
        "mps" if torch.backends.mps.is_available() else "cpu",
    "cuda_build": torch.version.cuda,
    "free": torch.cuda.mem_get_info()[0] if card else 0,
    "bf16": torch.cuda.is_bf16_supported() if card else
        getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)(),
}))
"""
_OPENGL = """
from vispy import app, gloo
app.use_app(None)
canvas = app.Canvas(show=False)
canvas.set_current()
print(gloo.gl.glGetParameter(gloo.gl.GL_RENDERER), flush=True)
import os; os._exit(0)
"""


@dataclass(frozen=True)
class Line:
    """One finding.

    Parameters
    ----------
    grade : str
        ``PASS``, ``WARN`` (something does less than it could) or ``FAIL``.
    topic, found : str
        What was looked at, and what is there.
    fix : str
        What to do; empty for ``PASS``.
    """

    grade: Grade
    topic: str
    found: str
    fix: str = ""

    def __str__(self) -> str:
        """Give the line as printed."""
        return f"{self.grade}  {self.topic}: {self.found}" + (f" → {self.fix}" if self.fix else "")


def examine(online: bool = False) -> Iterator[Line]:
    """Look at everything that the studio needs, one finding after the other.

    Parameters
    ----------
    online : bool
        Also ask the hub whether the gated files may be fetched; nothing is sent otherwise.
    """
    card: dict[str, Any] = {}
    checks: list[tuple[str, Callable[[], Iterator[Line]]]] = [
        ("Python", _python),
        ("napari", _napari),
        ("Qt", _qt),
        ("OpenGL", _opengl),
        ("torch", lambda: _torch(card)),
        ("compilation", _compilation),
        ("memory", lambda: _memory(card)),
        ("models", _models),
        ("weights", _weights),
        ("Cellpose", _cellpose),
        ("hub", lambda: _hub(online)),
        ("OpenSlide", _openslide),
        ("disk", _disk),
        ("folders", _folders),
    ]
    for topic, check in checks:
        try:
            yield from check()
        except Exception as error:  # a doctor who faints helps nobody
            fix = "reinstall napari-pixcell in a fresh environment, and report this line"
            yield Line("FAIL", topic, f"the check broke ({type(error).__name__})", fix)


def _python() -> Iterator[Line]:
    # An older one cannot import this file.
    yield Line("PASS", "Python", ".".join(map(str, sys.version_info[:3])))


def _napari() -> Iterator[Line]:
    found = version("napari")
    if tuple(map(int, found.split(".")[:2])) < (0, 9):
        yield Line("FAIL", "napari", found, 'pip install "napari>=0.9,<0.10"')
    else:
        yield Line("PASS", "napari", found)


def _qt() -> Iterator[Line]:
    there = [name for name in BINDINGS if importlib.util.find_spec(name)]
    if not there:
        yield Line("FAIL", "Qt", "no binding", 'pip install "napari-pixcell[all]"')
    elif len(there) > 1 and not os.environ.get("QT_API"):
        fix = f"set QT_API={there[0].lower()}, or uninstall the others"
        yield Line("WARN", "Qt", " and ".join(there), fix)
    else:
        yield Line("PASS", "Qt", f"{there[0]} {_version_of(there[0])}")


def _opengl() -> Iterator[Line]:
    done = _child(_OPENGL)
    if done is None:
        fix = "start it where there is a screen, or under xvfb-run; see the graphics driver"
        yield Line("WARN", "OpenGL", "no context could be made here", fix)
    elif any(word in done.lower() for word in ("llvmpipe", "softpipe", "software")):
        fix = "the window works but is slow; install the driver of the graphics card"
        yield Line("WARN", "OpenGL", done, fix)
    else:
        yield Line("PASS", "OpenGL", done)


def _torch(card: dict[str, Any]) -> Iterator[Line]:
    import json

    done = _child(_TORCH)
    if done is None:
        fix = "pip install torch torchvision, in versions of one release"
        yield Line("FAIL", "torch", "it cannot be imported", fix)
        return
    card.update(json.loads(done))
    yield Line("PASS", "torch", card["version"])
    if card["device"] != "cpu":
        half = "bfloat16" if card["bf16"] else "float16"
        yield Line("PASS", "device", f"{card['device']}, {half}")
    elif shutil.which("nvidia-smi"):
        yield _unseen_card(card["cuda_build"])
    else:
        fix = "the demo family runs well; the published models want an NVIDIA card"
        yield Line("WARN", "device", "no graphics card: everything runs on the CPU", fix)


def _unseen_card(cuda_build: str | None) -> Line:
    """Say why torch does not see an NVIDIA card: its build, no driver, or an old one."""
    if cuda_build is None:
        fix = "install the CUDA build of PyTorch that fits the driver, see pytorch.org"
        return Line("WARN", "device", "an NVIDIA card, and a torch for the CPU alone", fix)
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    driver = _output_of(query)
    if driver is None:
        fix = "restart the computer; if that is not enough, install the driver again"
        return Line("WARN", "device", "an NVIDIA card whose driver does not answer", fix)
    found = f"torch for CUDA {cuda_build} cannot use driver {driver}"
    fix = "update the driver, or install PyTorch for an older CUDA, see pytorch.org"
    return Line("WARN", "device", found, fix)


def _compilation() -> Iterator[Line]:
    if not compile_wanted():
        yield Line("PASS", "compilation", "off (PIXCELL_COMPILE=1 tries it)")
        return
    reason = preference("compile failed", "")
    if reason:
        fix = "install a C++ compiler (and Triton for a card), or leave PIXCELL_COMPILE out"
        yield Line("WARN", "compilation", f"asked for, left out here ({reason})", fix)
    else:
        yield Line("PASS", "compilation", "asked for; the blocks are compiled when a model loads")


def _memory(card: dict[str, Any]) -> Iterator[Line]:
    machine = Machine(card.get("free", 0), this_machine().host)
    free = f"{machine.host / GB:.1f} GB free"
    if machine.gpu:
        free += f", {machine.gpu / GB:.1f} GB free on the card"
    if machine.host < 2 * GB:
        yield Line("WARN", "memory", free, "close other programs")
    else:
        yield Line("PASS", "memory", free)
    half = bool(card.get("bf16", True)) or bool(machine.gpu)
    for family in weight_sets().values():
        words = verdict(family, machine, half)
        if "more memory" in words:
            fix = "close other programs, or choose a smaller model"
            yield Line("WARN", f"memory for {family.name}", words, fix)
        else:
            yield Line("PASS", f"memory for {family.name}", words)


def _models() -> Iterator[Line]:
    for name, family in families().items():
        left = missing(family)
        if left:
            found = f"{len(family.parts) - len(left)} of {len(family.parts)} parts are here"
            fix = f"napari-pixcell models get {name}"
            if family.bundled:
                yield Line("FAIL", f"model {name}", found, "reinstall napari-pixcell")
            else:
                yield Line("WARN", f"model {name}", found, fix)
        else:
            yield Line("PASS", f"model {name}", "installed")


def _weights() -> Iterator[Line]:
    """Look for each published file once, whichever families use it."""
    parts = {
        f"{part.hub_id}/{part.weights}": (part, weights.name)
        for weights in reversed(weight_sets().values())
        for part in weights.parts
        if part.hub_id and part.kind != "scheduler"
    }
    places = {
        "own": "a file of yours",
        "folder": "in your folder of weights",
        "cellpose": "in Cellpose's own folder",
        "cache": "in the hub's cache",
    }
    for topic, (part, name) in sorted(parts.items()):
        found = find(part)
        if found is None:
            fix = f"napari-pixcell models get {name}"
            yield Line("WARN", topic, f"not here ({part.bytes / 1e6:,.0f} MB)", fix)
        else:
            yield Line("PASS", topic, places[found.where])


def _cellpose() -> Iterator[Line]:
    found = _version_of("cellpose")
    if found:
        yield Line("PASS", "Cellpose", found)
    else:
        fix = 'pip install "cellpose>=4.2"; the built-in method works without'
        yield Line("FAIL", "Cellpose", "not installed", fix)


def _hub(online: bool) -> Iterator[Line]:
    from huggingface_hub import constants, get_token

    if constants.HF_HUB_OFFLINE:
        fix = "unset HF_HUB_OFFLINE to download, or import a folder from another machine"
        yield Line("WARN", "hub", "HF_HUB_OFFLINE is set: nothing is downloaded", fix)
    if get_token():
        yield Line("PASS", "token", "there is one")
    else:
        fix = "hf auth login; only gated models such as UNI2-h need it"
        yield Line("WARN", "token", "none", fix)
    if not online or constants.HF_HUB_OFFLINE:
        return
    from napari_pixcell.models.hub import access

    sets = (*BUILT_IN.values(), CELLPOSE)
    parts = {part.hub_id: part for weights in sets for part in weights.parts}
    for hub_id, part in parts.items():
        if hub_id:
            problem = access(part)
            if problem:
                yield Line("WARN", f"access to {hub_id}", "refused", problem)
            else:
                yield Line("PASS", f"access to {hub_id}", "granted")


def _openslide() -> Iterator[Line]:
    import openslide

    from napari_pixcell.slides.samples import SAMPLE_SLIDE

    # OpenSlide itself, whatever the studio would read this file with.
    with openslide.OpenSlide(SAMPLE_SLIDE) as slide:
        slide.read_region((0, 0), 0, (64, 64))
    yield Line("PASS", "OpenSlide", f"{openslide.__library_version__}; the sample slide reads")


def _disk() -> Iterator[Line]:
    from huggingface_hub import constants

    for topic, folder, enough, variable in (
        ("disk for weights", Path(constants.HF_HUB_CACHE), ENOUGH_DISK, "HF_HOME"),
        ("disk for stored styles", cache_folder(), ENOUGH_CACHE, "PIXCELL_CACHE_DIR"),
    ):
        place = folder
        while not place.exists():
            place = place.parent
        free = shutil.disk_usage(place).free
        found = f"{free / GB:.0f} GB free" if free >= GB else f"{free / 1e6:.0f} MB free"
        if free < enough:
            fix = f"free some space, or name a folder on a larger disk in {variable}"
            yield Line("WARN", topic, found, fix)
        else:
            yield Line("PASS", topic, found)


def _folders() -> Iterator[Line]:
    for topic, folder, variable in (
        ("settings folder", config_folder(), "PIXCELL_CONFIG_DIR"),
        ("cache folder", cache_folder(), "PIXCELL_CACHE_DIR"),
    ):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            found = f"cannot be written to ({error.strerror})"
            fix = f"make it writable, or name another in {variable}"
            yield Line("FAIL", topic, found, fix)
        else:
            yield Line("PASS", topic, "can be written to")


def _child(code: str) -> str | None:
    """Run code in a process of its own and give its last line; None if it fails."""
    return _output_of([sys.executable, "-c", code])


def _output_of(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.strip().splitlines()
    return lines[-1] if done.returncode == 0 and lines else None


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def as_data(lines: list[Line]) -> list[dict[str, str]]:
    """Give findings as JSON values."""
    return [asdict(line) for line in lines]
