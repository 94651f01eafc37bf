"""A new user's way: from the README to the first variant on a slide of their own, timed.

    python benchmarks/first_variant.py [SLIDE] [--at 0.27,0.555] [--out FOLDER]

In an empty folder, with an empty home: builds the wheel (not timed, users download it), creates an
environment, installs the wheel with the line of the README, and starts ``napari`` on a display of
its own (Xvfb, openbox). There a hand (xdotool) opens the studio by the menu, opens SLIDE by the
dialog, draws a box, and presses the blue button until the first variant is shown. Prints the
seconds of each step and the sum. FOLDER receives a screenshot of each step; ``end.png`` is the
last. SLIDE is CMU-1-Small-Region by default, which ``benchmarks/data.py cmu1`` fetches.

The hand needs no time to read and to think. Packages come from where pip finds them: over a slow
line, their size counts more than all else. The environment takes 8 GB of disk, and is deleted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from fresh import ROOT, build_wheel, call, new_environment, own_variables

SHARED = Path(os.environ.get("PIXCELL_SHARED") or ROOT.parent / "shared")
SLIDE = SHARED / "data" / "wsi_cmu1_small_region" / "CMU-1-Small-Region.svs"
LINE = re.compile(r'^pip install "napari-pixcell(\[\w+\])"', re.MULTILINE)
SCREEN = "-screen 0 1600x1000x24"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("slide", nargs="?", type=Path, default=SLIDE, metavar="SLIDE")
    parser.add_argument("--at", default="0.27,0.555", help="centre of the box: parts of the slide")
    parser.add_argument("--out", type=Path, help="folder for the screenshots")
    parser.add_argument("--python", type=Path, help="environment to use, instead of a fresh one")
    options = parser.parse_args()
    slide = options.slide.resolve()
    if not slide.is_file():
        sys.exit(f"There is no {slide.name}. Name a slide, or run: python benchmarks/data.py cmu1")
    with tempfile.TemporaryDirectory(prefix="first-variant-") as folder:
        top = Path(folder)
        out = (options.out or top / "out").resolve()
        out.mkdir(parents=True, exist_ok=True)
        steps, python = [], options.python
        if python is None:
            python, steps = install(top)
        size = sum(path.lstat().st_size for path in python.parents[1].rglob("*"))
        steps += use(python.absolute(), top / "home", slide, options.at, out)
    show(steps, f"{size / 1e9:.1f} GB installed")


def install(top: Path) -> tuple[Path, list[tuple[str, float]]]:
    """Install the wheel as the README says; return Python, and the seconds of each step."""
    (extra,) = LINE.findall((ROOT / "README.md").read_text("utf-8"))
    wheel = build_wheel(top / "dist")
    begun = time.monotonic()
    python = new_environment(top / "pixcell")
    created = time.monotonic()
    pip = [python, "-m", "pip", "install", "--no-cache-dir", "-q", f"{wheel}{extra}"]
    call([*pip], top)
    installed = time.monotonic()
    return python, [
        ("create an environment", created - begun),
        ("pip install", installed - created),
    ]


def use(python: Path, home: Path, slide: Path, at: str, out: Path) -> list[tuple[str, float]]:
    """Go from napari's start to the first variant; return the seconds of each step."""
    home.mkdir()
    shutil.copy(slide, home)  # where the dialog begins, and where the session is saved
    window = [python, ROOT / "benchmarks" / "first_window.py", home / slide.name, at, out]
    call(["xvfb-run", "-a", "-s", SCREEN, *window], home, own_variables(home))
    lines = (out / "steps.jsonl").read_text("utf-8").splitlines()
    return [tuple(json.loads(line)) for line in lines]


def show(steps: list[tuple[str, float]], remark: str) -> None:
    """Print the steps, and the sum of all but the last, which comes after the first variant."""
    total = sum(seconds for _, seconds in steps[:-1])
    for name, seconds in [*steps[:-1], (f"in all; {remark}", total), steps[-1]]:
        print(f"{seconds:8.1f} s  {name}")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    print(f"{system}, {cores} cores of {processor()}")


def processor() -> str:
    """Return the name of the CPU, where the system tells it."""
    try:
        lines = subprocess.check_output(["lscpu"], text=True, env=os.environ | {"LC_ALL": "C"})
    except OSError:
        return platform.processor()
    return next((x.split(":")[1].strip() for x in lines.splitlines() if "Model name" in x), "")


if __name__ == "__main__":
    main()
