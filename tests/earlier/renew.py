"""Adapt the files of version 0.1.0 to other demo weights or another sample slide.

    git worktree add ../version-0.1.0 4b61394
    python tests/earlier/renew.py ../version-0.1.0

The demo family of that checkout is replaced by today's, and its code generates all images again. So
their pixels are still those of version 0.1.0, from today's weights. In all other files the hashes
of weights, pixels and files are replaced.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from napari_pixcell.datasets.marks import read_marked
from napari_pixcell.models.families import encoder_of
from napari_pixcell.models.store import DEMO_FOLDER
from napari_pixcell.slides.content import ends_key
from napari_pixcell.slides.samples import SAMPLE_SLIDE

HERE = Path(__file__).parent
COMMIT = "4b61394"
TEXTS = ("*.json", "*.jsonl", "*.style")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Renewal:
    """Replaced names and hashes, and the program of version 0.1.0."""

    def __init__(self, checkout: Path, folder: Path) -> None:
        self.checkout, self.folder = checkout, folder
        self.replaced: dict[str, str] = {}
        stain = shutil.copytree(HERE / "stain", folder / "stain")
        config = shutil.copytree(HERE / "config", folder / "config")
        toml = config / "families" / "old-her2.toml"
        toml.write_text(toml.read_text("utf-8").replace("FOLDER", stain.as_posix()), "utf-8")
        self.env = os.environ | {
            "PYTHONPATH": str(checkout / "src"),
            "TORCHDYNAMO_DISABLE": "1",  # it would compile in each process
            **{f"PIXCELL_{name}_DIR": str(folder / name.lower()) for name in ("CONFIG", "DATA")},
        }

    def run(self, *arguments: object) -> None:
        """Run a command of version 0.1.0."""
        command = [sys.executable, "-m", "napari_pixcell.cli", *map(str, arguments)]
        subprocess.run(command, check=True, env=self.env, cwd=self.folder)

    def weights(self) -> None:
        """Put today's demo family into the checkout."""
        demo = self.checkout / "src" / "napari_pixcell" / "demo"
        kind = json.loads(next(HERE.glob("config/styles/*")).read_bytes().split(b"\n")[0])
        self.replaced[kind["encoder"]] = str(encoder_of("demo"))
        expected = json.loads((HERE / "session-expected.json").read_text("utf-8"))
        session = json.loads((HERE / "session.pixcell" / "session.json").read_text("utf-8"))
        self.replaced[expected["slide sha256"]] = sha256(SAMPLE_SLIDE)
        self.replaced[session["slide"]["content"]] = ends_key(SAMPLE_SLIDE)
        for name, old in self.recorded().items():
            self.replaced[old] = sha256(DEMO_FOLDER / name)
        shutil.copytree(DEMO_FOLDER, demo, dirs_exist_ok=True)

    def recorded(self) -> dict[str, str]:
        """Return the weights in the records, by the name of their file in the demo family."""
        found: dict[str, str] = {}
        for name in ("variant-record.json", "stained-record.json"):
            for kind, value in json.loads((HERE / name).read_text("utf-8"))["weights"].items():
                stain = name.startswith("stained")
                files = {
                    "lora": "stain/lora.safetensors",
                    "decoder": "stain/decoder.safetensors",
                    "preview": "stain/preview.json" if stain else "preview.json",
                }
                if kind != "flow":  # of the stain in this folder
                    file = files.get(kind, f"{kind}/diffusion_pytorch_model.safetensors")
                    found[file] = value
        return found

    def again(self, name: str) -> Path:
        """Reproduce a record or the image that holds it, and return the new image."""
        path = self.folder / "records" / Path(name).name
        path.parent.mkdir(exist_ok=True)
        if name.endswith(".png"):
            marked = read_marked((HERE / name).read_bytes(), name)
            path = path.with_suffix(".json")
            path.write_text(json.dumps(marked.record), "utf-8")
        else:
            shutil.copy(HERE / name, path)
        record = json.loads(path.read_text("utf-8"))
        self.rewrite(path)
        out = self.folder / "again" / path.stem
        self.run("rerun", path, "--out", out)
        [image] = (out / "images").iterdir()
        new: Any = read_marked(image.read_bytes(), image.name).record
        self.replaced[record["sha256"]] = new["sha256"]
        return image

    def replace(self, name: str) -> None:
        """Replace an image by the reproduced one."""
        image, old = self.again(name), HERE / name
        if old.parent.name == "files":  # of a session, named by their content
            new = old.with_stem(sha256(image)[:32])
            self.replaced[old.name] = new.name
            old.unlink()
            shutil.copy(image, new)
        else:
            self.replaced[sha256(old)] = sha256(image)
            shutil.copy(image, old)

    def rewrite(self, path: Path) -> None:
        """Replace all hashes in a file, and rename it if its name is one of its content."""
        data = path.read_bytes()
        for old, new in self.replaced.items():
            data = data.replace(old.encode(), new.encode())
        if data != path.read_bytes() and path.stem == sha256(path)[:32]:
            renamed = path.with_stem(hashlib.sha256(data).hexdigest()[:32])
            self.replaced[path.name] = renamed.name
            path = path.rename(renamed)
        path.write_bytes(data)


def main() -> None:
    checkout = Path(sys.argv[1]).resolve()
    subprocess.run(["git", "restore", "."], check=True, cwd=checkout)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        renewal = Renewal(checkout, folder)
        renewal.weights()
        for style in (folder / "config" / "styles").iterdir():
            renewal.rewrite(style)
        for file in (folder / "stain").glob("*.json"):
            renewal.rewrite(file)
        for image in ("variant/images/case_A-seed11.png", "canvas/images/case_A-seed12.png"):
            renewal.replace(image)
        session = json.loads((HERE / "session.pixcell" / "session.json").read_text("utf-8"))
        for result in session["results"]:
            renewal.replace(f"session.pixcell/files/{result['file']}")
        stained = np.asarray(Image.open(renewal.again("stained-record.json")), float)
        eighth = stained.reshape(32, 8, 32, 8, 3).mean((1, 3))
        Image.fromarray(np.rint(eighth).astype(np.uint8)).save(HERE / "stained-eighth.png")
        for file in ("recipe.json", "cells.tif"):
            shutil.copy(HERE / file, folder)
        shutil.copy(SAMPLE_SLIDE, folder)
        renewal.run("dataset", "make", "recipe.json", "--out", "dataset", "--first", 2)
        for path in (HERE / "dataset").rglob("*"):
            if path.is_file() and path.name != "decisions.jsonl":
                shutil.copy(folder / path.relative_to(HERE), path)
        for _ in "ab":  # names of files first, then the files that hold these names
            for pattern in TEXTS:
                for path in sorted(HERE.rglob(pattern)):
                    renewal.rewrite(path)


if __name__ == "__main__":
    main()
