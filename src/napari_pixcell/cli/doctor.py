"""``napari-pixcell doctor``: what works on this machine, and how to fix what does not."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from napari_pixcell import __version__
from napari_pixcell.cli import options as cli
from napari_pixcell.cli.diagnosis import Diagnoses, Diagnosis, folders, own_families, shared_memory
from napari_pixcell.folders import cache_folder
from napari_pixcell.models.catalogue import BUILT_IN, CELLPOSE
from napari_pixcell.models.families import families, weight_sets
from napari_pixcell.models.memory import Machine, this_machine, verdict
from napari_pixcell.models.store import find, lacks_only_encoder, missing
from napari_pixcell.preferences import compile_wanted, preference
from napari_pixcell.words import file_size

GB = 1_000_000_000
PATIENCE_S = 60
ENOUGH_DISK = 10 * GB
ENOUGH_CACHE = GB // 2
NAPARI = "0.6.6", "0.10"  # from, and below, as in pyproject.toml
BINDINGS = ("PyQt6", "PySide6", "PyQt5", "PySide2")

# In a process of its own: this one stays without torch, and a broken driver may crash it.
_TORCH = """
import json, torch
gpu = torch.cuda.is_available()
print(json.dumps({
    "version": torch.__version__,
    "device": torch.cuda.get_device_name(0) if gpu else
        "mps" if torch.backends.mps.is_available() else "cpu",
    "cuda_build": torch.version.cuda,
    "free": torch.cuda.mem_get_info()[0] if gpu else 0,
    "bf16": torch.cuda.is_bf16_supported() if gpu else
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


@cli.command(
    "doctor",
    cli.flag("--online", "also check access to gated models on the hub"),
    cli.flag("--headless", "leave out what only the window needs: Qt and OpenGL"),
    cli.examples("doctor", "doctor --online --json"),
)
def doctor(options: cli.Options) -> cli.Result:
    """Check what works on this machine, and show how to fix the rest."""
    lines = []
    for line in examine(options.online, options.headless):
        lines.append(line)
        if not options.json:
            print(line, flush=True)
    result: cli.Result = {"lines": [line.to_dict() for line in lines]} if options.json else {}
    return cli.checked(not any(line.failed for line in lines), result)


def examine(online: bool = False, headless: bool = False) -> Diagnoses:
    """Check everything that the studio needs, and iterate over the findings.

    Only ``online`` asks the hub for access to gated files. Nothing is sent otherwise.
    ``headless`` leaves out what the command line and the workers of a cluster do without.
    """
    device: dict[str, Any] = {}
    checks: tuple[tuple[str, Callable[[], Diagnoses]], ...] = (
        ("napari-pixcell", _versions),
        ("napari", _napari),
        *(() if headless else (("Qt", _qt), ("OpenGL", _opengl))),
        ("torch", lambda: _torch(device)),
        ("compilation", _compilation),
        ("memory", lambda: _memory(device)),
        ("shared memory", shared_memory),
        ("models", _models),
        ("own families", own_families),
        ("weights", _weights),
        ("Cellpose", _cellpose),
        ("hub", lambda: _hub(online)),
        ("OpenSlide", _openslide),
        ("disk", _disk),
        ("folders", folders),
    )
    for topic, check in checks:
        try:
            yield from check()
        except Exception as error:  # one broken check must not hide the others
            fix = "reinstall napari-pixcell in a fresh environment, and report this line"
            yield Diagnosis(topic, f"the check broke ({type(error).__name__})", fix, failed=True)


def _versions() -> Diagnoses:
    yield Diagnosis("napari-pixcell", __version__)
    yield Diagnosis("system", platform.platform())
    # An older one cannot import this file.
    yield Diagnosis("Python", platform.python_version())


def _napari() -> Diagnoses:
    found, (oldest, below) = version("napari"), NAPARI
    fits = _numbers(oldest) <= _numbers(found) < _numbers(below)
    fix = "" if fits else f'pip install "napari>={oldest},<{below}"'
    yield Diagnosis("napari", found, fix, failed=not fits)


def _qt() -> Diagnoses:
    bindings = [name for name in BINDINGS if importlib.util.find_spec(name)]
    named = os.environ.get("QT_API", "")
    chosen = [name for name in bindings if name.lower() == named.lower()]
    if not bindings:
        fix = 'pip install "napari-pixcell[all]"; for the command line alone: doctor --headless'
        yield Diagnosis("Qt", "no binding", fix, failed=True)
    elif named and not chosen:
        fix = f"set QT_API={bindings[0].lower()}, or unset it"
        yield Diagnosis("Qt", f"QT_API={named}, which is not installed", fix, failed=True)
    elif len(bindings) > 1 and not named:
        fix = f"set QT_API={bindings[0].lower()}, or uninstall the others"
        yield Diagnosis("Qt", f"{' and '.join(bindings)}, and no QT_API", fix)
    else:
        name = (chosen or bindings)[0]
        yield Diagnosis("Qt", f"{name} {_version_of(name)}")


def _opengl() -> Diagnoses:
    renderer = _child(_OPENGL)
    if renderer is None:
        fix = "start it with a screen or under xvfb-run; check the graphics driver"
        yield Diagnosis("OpenGL", "no context could be created", fix)
    elif any(word in renderer.lower() for word in ("llvmpipe", "softpipe", "software")):
        fix = "the window works but is slow; install the driver of the GPU"
        yield Diagnosis("OpenGL", renderer, fix)
    else:
        yield Diagnosis("OpenGL", renderer)


def _torch(device: dict[str, Any]) -> Diagnoses:
    output = _child(_TORCH)
    if output is None:
        fix = "pip install torch torchvision, in matching versions"
        yield Diagnosis("torch", "it cannot be imported", fix, failed=True)
        return
    device.update(json.loads(output))
    build = f"for CUDA {device['cuda_build']}" if device["cuda_build"] else "without CUDA"
    yield Diagnosis("torch", f"{device['version']}, {build}")
    if device["device"] != "cpu":
        half = "bfloat16" if device["bf16"] else "float16"
        yield Diagnosis("device", f"{device['device']}, {half}")
    elif shutil.which("nvidia-smi"):
        yield _unseen_gpu(device["cuda_build"])
    else:
        fix = "the demo family runs well; the published models need an NVIDIA GPU"
        yield Diagnosis("device", "no GPU: everything runs on the CPU", fix)


def _unseen_gpu(cuda_build: str | None) -> Diagnosis:
    """Return why torch does not see an NVIDIA GPU: its build, no driver, or an old one."""
    if cuda_build is None:
        fix = "install the CUDA build of PyTorch that fits the driver, see pytorch.org"
        return Diagnosis("device", "an NVIDIA GPU, but a torch for the CPU alone", fix)
    driver = _output_of(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"])
    if driver is None:
        fix = "restart the computer; if that does not help, reinstall the driver"
        return Diagnosis("device", "an NVIDIA GPU whose driver does not answer", fix)
    found = f"torch for CUDA {cuda_build} cannot use driver {driver}"
    fix = "update the driver, or install PyTorch for an older CUDA, see pytorch.org"
    return Diagnosis("device", found, fix)


def _compilation() -> Diagnoses:
    if not compile_wanted():
        yield Diagnosis("compilation", "off (PIXCELL_COMPILE=1 enables it)")
        return
    reason = preference("compile failed", "")
    if reason:
        fix = "install a C++ compiler (and Triton for a GPU), or unset PIXCELL_COMPILE"
        yield Diagnosis("compilation", f"enabled, but it failed here ({reason})", fix)
    else:
        yield Diagnosis("compilation", "enabled; blocks are compiled when a model is loaded")


def _memory(device: dict[str, Any]) -> Diagnoses:
    machine = Machine(device.get("free", 0), this_machine().host)
    free = f"{machine.host / GB:.1f} GB free"
    if machine.gpu:
        free += f", {machine.gpu / GB:.1f} GB free on the GPU"
    yield Diagnosis("memory", free, "close other programs" if machine.host < 2 * GB else "")
    half = bool(device.get("bf16", True)) or bool(machine.gpu)
    for family in weight_sets().values():
        words = verdict(family, machine, half)
        short = "more memory" in words
        fix = "close other programs, or choose a smaller model" if short else ""
        yield Diagnosis(f"memory for {family.name}", words, fix)


def _models() -> Diagnoses:
    """Iterate over the families, with one line for all that is missing of one."""
    for name, family in {**families(), CELLPOSE.name: CELLPOSE}.items():
        left = missing(family)
        found, fix = "installed", ""
        if left:
            here = len(family.parts) - len(left)
            parts = f"{here} of {len(family.parts)} parts are installed"
            size = file_size(sum(part.bytes for part in left))
            found = f"{parts}, {size} are missing" if here else f"not installed ({size})"
            fix = f"napari-pixcell models get {name}"
        if lacks_only_encoder(family):
            found = "installed without its encoder: styles come from files of features"
        own = next((part for part in left if not part.hub_id and part.folder), None)
        if left and family.bundled:
            fix = "reinstall napari-pixcell"
        elif own is not None and own.folder is not None:
            fix = f"put the {own.kind} back into {own.folder.name}"
        yield Diagnosis(f"model {name}", found, fix, failed=bool(left) and family.bundled)


def _weights() -> Diagnoses:
    """Iterate over the installed files, each once even if several families use it."""
    parts = {
        f"{part.hub_id}/{part.weights}": part
        for weights in weight_sets().values()
        for part in weights.parts
        if part.hub_id and part.kind != "scheduler"
    }
    places = {
        "own": "your own file",
        "folder": "in your folder of weights",
        "cellpose": "in Cellpose's own folder",
        "cache": "in the hub's cache",
    }
    for topic, part in sorted(parts.items()):
        file = find(part)
        if file is not None:
            yield Diagnosis(topic, places[file.where])


def _cellpose() -> Diagnoses:
    found = _version_of("cellpose")
    if found:
        yield Diagnosis("Cellpose", found)
    else:
        fix = 'pip install "cellpose>=4.2"; the built-in method works without it'
        yield Diagnosis("Cellpose", "not installed", fix, failed=True)


def _hub(online: bool) -> Diagnoses:
    from huggingface_hub import constants, get_token

    if constants.HF_HUB_OFFLINE:
        fix = "unset HF_HUB_OFFLINE to download, or import a folder from another machine"
        yield Diagnosis("hub", "HF_HUB_OFFLINE is set: nothing is downloaded", fix)
    if get_token():
        yield Diagnosis("token", "set")
    else:
        yield Diagnosis("token", "none", "hf auth login; only gated models such as UNI2-h need it")
    if not online or constants.HF_HUB_OFFLINE:
        return
    from napari_pixcell.models.hub import access

    sets = (*BUILT_IN.values(), CELLPOSE)
    parts = {part.hub_id: part for weights in sets for part in weights.parts if part.hub_id}
    for hub_id, part in parts.items():
        problem = access(part)
        yield Diagnosis(f"access to {hub_id}", "refused" if problem else "granted", problem)


def _openslide() -> Diagnoses:
    try:
        import openslide
    except (ImportError, OSError):
        fix = "pip install openslide-python openslide-bin; most slides cannot be opened without it"
        yield Diagnosis("OpenSlide", "it cannot be imported", fix, failed=True)
        return
    from napari_pixcell.slides.samples import SAMPLE_SLIDE

    # OpenSlide itself: the studio may read this file with another library.
    with openslide.OpenSlide(SAMPLE_SLIDE) as slide:
        slide.read_region((0, 0), 0, (64, 64))
    yield Diagnosis("OpenSlide", f"{openslide.__library_version__}; it reads the sample slide")


def _disk() -> Diagnoses:
    from huggingface_hub import constants

    for topic, folder, enough, variable in (
        ("disk for weights", Path(constants.HF_HUB_CACHE), ENOUGH_DISK, "HF_HOME"),
        ("disk for stored styles", cache_folder(), ENOUGH_CACHE, "PIXCELL_CACHE_DIR"),
    ):
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        free = shutil.disk_usage(folder).free
        fix = f"free some space, or set {variable} to a folder on a larger disk"
        yield Diagnosis(topic, f"{file_size(free)} free", fix if free < enough else "")


def _child(code: str) -> str | None:
    """Run code in a process of its own and return its last line; None if it fails."""
    return _output_of([sys.executable, "-P", "-c", code])


def _output_of(command: list[str]) -> str | None:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=PATIENCE_S,
            # No code in the current folder is run, also not by processes of the process.
            env=os.environ | {"PYTHONSAFEPATH": "1", "PYTHONIOENCODING": "utf-8"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.strip().splitlines()
    return lines[-1] if done.returncode == 0 and lines else None


def _numbers(text: str) -> tuple[int, ...]:
    """Return the numbers of a release: those of “0.6.6rc1” are 0, 6 and 6."""
    return tuple(int(part) for part in re.findall(r"\.?(\d+)", text)[:3])


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
