"""Code shared by the training stages: tissue, crops, schedules, checkpoints and log lines."""

from __future__ import annotations

import copy
import json
import math
import os
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from colours import random_colours, recolour
from PIL import Image

from napari_pixcell.slides import Region, open_slide

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("PIXCELL_SHARED", ROOT.parent / "shared"))
RUNS = Path(__file__).resolve().parent / "runs"
DEMO = ROOT / "src" / "napari_pixcell" / "demo"
# Breast fields held out for the figures of evaluate.py, and the test of benchmarks/utility.
HELD_OUT = {"10014", "10021", "10028", "10035", "1009", "1022", "1034", "1045"}
# The pool of benchmarks/utility: neither its fields nor its labels are ever trained on, so that its
# verdict on the family's pairs is fair.
POOL = {"1001", "1002", "1004", "1012", "1015", "1027", "1028", "1029", "1030", "1038"}
POOL |= {"1040", "1041", "1043", "1048", "1049", "1050"}
NEAR_DUPLICATE = "10016"
# Oral mucosa held out: the lowest row of the slide, and every sixth photograph.
HELD_OUT_TILES = 3
PHOTOGRAPH_MPP, HALF_MPP = 0.33, 0.25  # estimates, from the sources of the data
# A pixel whose darkest channel is above this is glass, not tissue.
BARE = 215


def setup(threads: int = 2, seed: int = 0) -> torch.Generator:
    """Set threads and seeds, and return a random generator for the stage."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    RUNS.mkdir(exist_ok=True)
    return torch.Generator().manual_seed(seed)


def _image(path: Path) -> Image.Image:
    return Image.open(path).convert("RGB")


def _half(path: Path) -> np.ndarray:
    return np.asarray(_image(path).reduce(2))


def _scaled(path: Path, mpp: float) -> np.ndarray:
    image = _image(path)
    size = [round(side * mpp / 0.5) for side in image.size]
    return np.asarray(image.resize(size, Image.Resampling.BOX if mpp < 0.3 else Image.LANCZOS))


def load_skin() -> dict[str, np.ndarray]:
    """Cut CMU-1-Small-Region (skin, 0.499 um/px) into twelve fields."""
    slide = open_slide(SHARED / "data" / "wsi_cmu1_small_region" / "CMU-1-Small-Region.svs")
    height, width = slide.shape
    whole = slide.read(Region(0, 0, width, height), slide.require_mpp())
    return _cut(whole, "cmu1", 4, 3)


def _cut(whole: np.ndarray, name: str, rows: int, columns: int) -> dict[str, np.ndarray]:
    lines = np.array_split(whole, rows)
    parts = [part for line in lines for part in np.array_split(line, columns, axis=1)]
    return {f"{name}-{index}": np.ascontiguousarray(part) for index, part in enumerate(parts)}


def load_breast(held_out: bool) -> dict[str, np.ndarray]:
    """Return the held-out or the training fields of breast at 0.5 um/px, by name."""
    paths = sorted((SHARED / "data" / "brecahad_30" / "images").glob("*.jpg"))
    paths += sorted((SHARED / "data" / "tnbc_naylor_subset" / "images").glob("*.png"))
    if not paths:
        raise SystemExit(f"No tissue under {SHARED}/data. Set PIXCELL_SHARED to its folder.")
    never = POOL | {NEAR_DUPLICATE}
    return {
        path.stem: _half(path)
        for path in paths
        if (path.stem in HELD_OUT) == held_out and path.stem not in never
    }


def load_oral(held_out: bool) -> dict[str, np.ndarray]:
    """Return the held-out or the training fields of oral mucosa at about 0.5 um/px, by name."""
    tiles = sorted((SHARED / "data" / "ocdc_oral_20x" / "images").glob("*.png"))
    photographs = sorted((SHARED / "data" / "oral_rahman_400x" / "images").glob("*.jpg"))
    kept = tiles[-HELD_OUT_TILES:] if held_out else tiles[:-HELD_OUT_TILES]
    fields = {path.stem: np.asarray(_image(path)) for path in kept}
    for index, path in enumerate(photographs):
        if (index % 6 == 5) == held_out:
            fields[path.stem] = _scaled(path, PHOTOGRAPH_MPP)
    return fields


def load_brown() -> dict[str, np.ndarray]:
    """Return fields of immunohistochemistry: the autoencoder must know brown."""
    colon = np.asarray(_image(SHARED / "data" / "skimage_ihc" / "ihc.png"))
    slide = open_slide(SHARED / "data" / "openslide_os1_os2_crops" / "OS-2-ndpi.ome.tif")
    height, width = slide.shape
    whole = slide.read(Region(0, 0, width, height), 0.5)
    return {"ihc-colon": colon} | _cut(whole, "ihc-os2", 2, 2)


def load_other_organs() -> dict[str, np.ndarray]:
    """Return fields of organs that nothing was trained on, at about 0.5 um/px, by name."""
    data = SHARED / "data"
    slide = open_slide(data / "openslide_os1_os2_crops" / "OS-1-detail.ome.tif")
    height, width = slide.shape
    fields = {"os1": slide.read(Region(0, 0, width, height), 0.5)}
    for folder in ("human_lung_xenium_HE_256", "mouse_HE_512"):
        for path in sorted((data / "cellbindb_demo" / folder).glob("image.tif")):
            fields[folder] = np.asarray(_image(path))
    return fields


def load_tissue(held_out: bool) -> dict[str, np.ndarray]:
    """Return the held-out or the training fields at 0.5 um/px, uint8 (h, w, 3), by name."""
    fields = load_breast(held_out) | load_oral(held_out)
    return fields if held_out else fields | load_skin()


def load_labels(name: str) -> np.ndarray | None:
    """Return the label image of a TNBC field at 0.5 um/px, or None without ground truth."""
    path = SHARED / "data" / "tnbc_naylor_subset" / "labels" / f"{name}.png"
    return np.asarray(Image.open(path))[::2, ::2].astype(np.int32) if path.exists() else None


def symmetry(image: np.ndarray, which: int) -> np.ndarray:
    """Apply one of the eight symmetries of a square; 0 is the identity."""
    image = np.rot90(image, which % 4)
    return image[:, ::-1] if which >= 4 else image


class Place(NamedTuple):
    """A crop: its field, upper left corner, symmetry, and change of colours if any."""

    name: str
    y: int
    x: int
    symmetry: int
    colours: np.ndarray | None = None


class Crops:
    """Random square crops in eight symmetries. Larger fields are chosen more often.

    Parameters
    ----------
    fields : dict of array, uint8, (h, w, 3)
    size : int
        Side of a crop.
    seed : int
    recoloured : float
        Share of crops whose colours are changed at random.
    """

    def __init__(
        self, fields: dict[str, np.ndarray], size: int, seed: int = 0, recoloured: float = 0
    ) -> None:
        self.names = [n for n, f in fields.items() if min(f.shape[:2]) >= size]
        self.fields = fields
        self.size = size
        self.recoloured = recoloured
        self.rng = np.random.default_rng(seed)
        # Fields differ in size by a factor of eight. The root gives the small ones a fair share.
        area = np.sqrt([float(np.prod(fields[n].shape[:2])) for n in self.names])
        self.chance = area / area.sum()

    def place(self, field: str | None = None) -> Place:
        """Return a random place, skipping most glass."""
        while True:
            name = field or self.names[self.rng.choice(len(self.names), p=self.chance)]
            h, w = self.fields[name].shape[:2]
            y, x = self.rng.integers(0, h - self.size + 1), self.rng.integers(0, w - self.size + 1)
            place = Place(name, int(y), int(x), int(self.rng.integers(8)))
            bare = (self.cut(place)[::4, ::4].min(-1) > BARE).mean()
            if bare < 0.7 or self.rng.random() < 0.1:
                break
        if self.rng.random() < self.recoloured:
            return place._replace(colours=random_colours(self.rng))
        return place

    def cut(self, place: Place, source: dict | None = None) -> np.ndarray:
        """Return the pixels of a crop, (size, size, 3), from the fields, masks or other images."""
        field = (source or self.fields)[place.name]
        part = field[place.y : place.y + self.size, place.x : place.x + self.size]
        return symmetry(part, place.symmetry)

    def picture(self, place: Place, source: dict | None = None) -> np.ndarray:
        """Return a crop in the colours of its place, uint8 (size, size, 3)."""
        pixels = self.cut(place, source)
        return pixels if place.colours is None else recolour(pixels, place.colours)

    def batch(self, count: int) -> torch.Tensor:
        """Draw a batch in [-1, 1], (count, 3, size, size)."""
        return to_tensor(np.stack([self.picture(self.place()) for _ in range(count)]))


def to_tensor(images: np.ndarray) -> torch.Tensor:
    """Convert images, uint8 (N, h, w, 3), to a float tensor (N, 3, h, w) in [-1, 1]."""
    tensor = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2)
    return tensor.float().div(127.5).sub(1)


def to_images(tensor: torch.Tensor) -> np.ndarray:
    """Convert a tensor in [-1, 1] to images, uint8 (N, h, w, 3)."""
    scaled = tensor.float().clamp(-1, 1).add(1).mul(127.5).round()
    return scaled.to(torch.uint8).permute(0, 2, 3, 1).numpy()


def save_sheet(path: Path, *rows: torch.Tensor) -> None:
    """Write a contact sheet with one row per batch of images in [-1, 1]."""
    lines = [np.concatenate(list(to_images(row)), axis=1) for row in rows]
    Image.fromarray(np.concatenate(lines, axis=0)).save(path)


class Clock:
    """Schedule of a stage by the minutes that it has trained, over all its runs, and its log."""

    def __init__(self, stage: str, minutes: float, spent: float = 0.0, step: int = 0) -> None:
        self.stage, self.seconds, self.start = stage, minutes * 60, time.time() - spent
        self.step, self.sums, self.last = step, {}, time.time()
        self.log = (RUNS / f"{stage}.log").open("a")

    @property
    def spent(self) -> float:
        """Seconds trained, those of earlier runs included."""
        return time.time() - self.start

    @property
    def done(self) -> float:
        """Fraction of the minutes that has passed, 0 to 1."""
        return min(1.0, self.spent / self.seconds)

    def rate(self, peak: float, warmup: int = 50, floor: float = 0.02) -> float:
        """Current learning rate: a short warm-up, then a cosine over the minutes."""
        cosine = floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * self.done))
        return peak * min(1.0, (self.step + 1) / warmup) * cosine

    def tick(self, every: int = 50, **values: float) -> bool:
        """Count a step and print means at intervals. Return True if a line was printed."""
        self.step += 1
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value)
        if self.step % every:
            return False
        now = time.time()
        line = {"stage": self.stage, "step": self.step, "minute": round((now - self.start) / 60, 2)}
        line |= {k: round(v / every, 5) for k, v in self.sums.items()}
        line["steps_s"] = round(every / (now - self.last), 2)
        self.sums, self.last = {}, now
        text = json.dumps(line)
        print(text, flush=True)
        self.log.write(text + "\n")
        self.log.flush()
        return True


class Ema:
    """Running mean of a model's weights, with a warm-up in which early weights count less."""

    def __init__(self, model: torch.nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay, self.count = decay, 0

    @torch.no_grad()
    def update(self, model: torch.nn.Module) -> None:
        """Update the mean with the weights of one step."""
        self.count += 1
        keep = min(self.decay, (1 + self.count) / (10 + self.count))
        for mine, theirs in zip(self.model.parameters(), model.parameters(), strict=True):
            mine.lerp_(theirs.detach(), 1 - keep)


def save_run(stage: str, **state: object) -> None:
    """Write the checkpoint of a stage atomically."""
    path = RUNS / f"{stage}.pt"
    torch.save(state, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").replace(path)


def load_run(stage: str) -> dict | None:
    """Return the checkpoint of a stage, or None."""
    path = RUNS / f"{stage}.pt"
    return torch.load(path, weights_only=True) if path.exists() else None
