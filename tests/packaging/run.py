"""Install the wheel with all its dependencies, or build the images: too long for every day.

``make test-install`` and ``make test-containers`` run it. It needs the package registry, and for
images a builder and a base image with Python.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from fresh import ROOT, build_wheel, call, new_environment, own_variables

BUILDERS = "docker", "podman", "buildah"
WINDOW = """
import napari
from qtpy import API_NAME
from qtpy.QtTest import QTest
viewer = napari.Viewer(show=True)
dock, widget = viewer.window.add_plugin_dock_widget("napari-pixcell", "PixCell studio")
widget.actions.sample()
for _ in range(600):
    if not len(viewer.layers):
        QTest.qWait(100)
assert len(viewer.layers), "the sample slide does not open"
print("The studio opens under", API_NAME)
viewer.close()
"""


def main() -> None:
    """Run one of the two parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["environments", "containers"])
    parser.add_argument("--extra", action="append", help="only these of all and pyside6")
    parser.add_argument("--base", help="base image with Python and venv, instead of the usual one")
    parser.add_argument("--option", action="append", default=[], help="of the builder, as it is")
    options = parser.parse_args()
    if options.part == "containers":
        containers(options.base, options.option)
    else:
        environments(options.extra or ["all", "pyside6"])


def environments(extras: list[str]) -> None:
    """Use the wheel in fresh environments, first without Qt, then with an extra for the window."""
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        wheel = build_wheel(top / "dist")
        for extra in extras:
            begun = time.monotonic()
            place = top / extra
            python = new_environment(place / "venv")
            for wanted, window in ((str(wheel), False), (f"{wheel}[{extra}]", True)):
                call([python, "-m", "pip", "install", "-q", wanted])
                call([python, "-m", "pip", "check"])
                use(python, place, window)
            shutil.rmtree(place)
            print(f"extra {extra}: {time.monotonic() - begun:.0f} s", flush=True)


def use(python: Path, folder: Path, window: bool) -> None:
    """Run the commands of a first session, with settings and caches of its own."""
    environment = own_variables(folder)
    program = python.with_name("napari-pixcell")
    headless = [] if window else ["--headless"]
    call([program, "--version"], folder, environment)
    call([program, "models", "list"], folder, environment)
    with_display = ["xvfb-run", "-a"] if window else []
    call([*with_display, program, "doctor", *headless], folder, environment)
    if window:
        call([*with_display, python, "-c", WINDOW], folder, environment)
    else:
        call([program, "demo", "--out", folder / "demo"], folder, environment | {"DISPLAY": ""})


def containers(base: str | None, options: list[str]) -> None:
    """Build the image, and run the program in it as its user does."""
    builder = next((name for name in BUILDERS if answers(name)), None)
    if builder is None:
        sys.exit(f"None of {', '.join(BUILDERS)} works here. Install or start one of them.")
    image = "localhost/napari-pixcell"
    verb = "bud" if builder == "buildah" else "build"
    arguments = ["--build-arg", f"BASE={base}"] if base else []
    file = ROOT / "container" / "Dockerfile"
    call([builder, verb, *options, *arguments, "-f", file, "-t", image, ROOT])
    for command in (["--version"], ["doctor", "--headless"], ["demo", "--out", "/tmp/demo"]):
        if builder == "buildah":  # which knows no entry point in containers that it runs
            name = subprocess.check_output([builder, "from", image], text=True).strip()
            call([builder, "run", name, "--", "napari-pixcell", *command])
            call([builder, "rm", name])
        else:
            call([builder, "run", "--rm", image, *command])


def answers(builder: str) -> bool:
    """True if a builder is installed, and its service runs if it needs one."""
    return bool(shutil.which(builder)) and not subprocess.call(
        [builder, "info"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


if __name__ == "__main__":
    main()
