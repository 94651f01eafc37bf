"""Code shared by the training stages: tissue, crops, schedules, checkpoints and log lines."""

from __future__ import annotations

import copy
import json
import math
import os
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from napari_pixcell.slides import Region, open_slide

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("PIXCELL_SHARED", ROOT.parent / "shared"))
RUNS = Path(__file__).resolve().parent / "runs"
DEMO = ROOT / "src" / "napari_pixcell" / "demo"
# Held out, for the figures of evaluate.py.
HELD_OUT = {"10014", "10021", "10028", "10035", "1009", "1022", "1034", "1045"}
NEAR_DUPLICATE = "10016"
# A pixel whose darkest channel is above this is glass, not tissue.
BARE = 215


def setup(threads: int = 2, seed: int = 0) -> torch.Generator:
    """Set threads and seeds, and return a random generator for the stage."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    RUNS.mkdir(exist_ok=True)
    return torch.Generator().manual_seed(seed)


def _half(path: Path) -> np.ndarray:
    image = Image.open(path).convert("RGB")
    return np.asarray(image.reduce(2))


def load_skin() -> dict[str, np.ndarray]:
    """Cut CMU-1-Small-Region (skin, 0.499 um/px), a second kind of tissue, into twelve fields."""
    slide = open_slide(SHARED / "data" / "wsi_cmu1_small_region" / "CMU-1-Small-Region.svs")
    height, width = slide.shape
    whole = slide.read(Region(0, 0, width, height), slide.require_mpp())
    rows = np.array_split(whole, 4)
    parts = [part for row in rows for part in np.array_split(row, 3, axis=1)]
    return {f"cmu1-{index}": np.ascontiguousarray(part) for index, part in enumerate(parts)}


def load_tissue(held_out: bool) -> dict[str, np.ndarray]:
    """Return the held-out or the training fields at 0.5 um/px, uint8 (h, w, 3), by name."""
    paths = sorted((SHARED / "data" / "brecahad_30" / "images").glob("*.jpg"))
    paths += sorted((SHARED / "data" / "tnbc_naylor_subset" / "images").glob("*.png"))
    if not paths:
        raise SystemExit(f"No tissue under {SHARED}/data. Set PIXCELL_SHARED to its folder.")
    wanted = [p for p in paths if (p.stem in HELD_OUT) == held_out and p.stem != NEAR_DUPLICATE]
    fields = {path.stem: _half(path) for path in wanted}
    return fields if held_out else fields | load_skin()


def load_labels(name: str) -> np.ndarray | None:
    """Return the label image of a TNBC field at 0.5 um/px, or None without ground truth."""
    path = SHARED / "data" / "tnbc_naylor_subset" / "labels" / f"{name}.png"
    return np.asarray(Image.open(path))[::2, ::2].astype(np.int32) if path.exists() else None


def symmetry(image: np.ndarray, which: int) -> np.ndarray:
    """Apply one of the eight symmetries of a square; 0 is the identity."""
    image = np.rot90(image, which % 4)
    return image[:, ::-1] if which >= 4 else image


class Crops:
    """Random square crops in eight symmetries. Larger fields are chosen more often."""

    def __init__(self, fields: dict[str, np.ndarray], size: int, seed: int = 0) -> None:
        self.names = [n for n, f in fields.items() if min(f.shape[:2]) >= size]
        self.fields = fields
        self.size = size
        self.rng = np.random.default_rng(seed)
        # BreCaHAD's fields are five times larger. The root gives the TNBC fields a fair share.
        area = np.sqrt([float(np.prod(fields[n].shape[:2])) for n in self.names])
        self.chance = area / area.sum()

    def place(self, field: str | None = None) -> tuple[str, int, int, int]:
        """Return name, row, column and symmetry of a random crop, skipping most glass."""
        while True:
            name = field or self.names[self.rng.choice(len(self.names), p=self.chance)]
            h, w = self.fields[name].shape[:2]
            y, x = self.rng.integers(0, h - self.size + 1), self.rng.integers(0, w - self.size + 1)
            place = name, int(y), int(x), int(self.rng.integers(8))
            bare = (self.cut(place)[::4, ::4].min(-1) > BARE).mean()
            if bare < 0.7 or self.rng.random() < 0.1:
                return place

    def cut(self, place: tuple[str, int, int, int], source: dict | None = None) -> np.ndarray:
        """Return the pixels of a crop, uint8 (size, size, 3), from the fields or similar images."""
        name, y, x, which = place
        field = (source or self.fields)[name]
        return symmetry(field[y : y + self.size, x : x + self.size], which)

    def batch(self, count: int) -> torch.Tensor:
        """Draw a batch in [-1, 1], (count, 3, size, size)."""
        return to_tensor(np.stack([self.cut(self.place()) for _ in range(count)]))


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
    """Schedule of a stage by its minutes, and its log."""

    def __init__(self, stage: str, minutes: float) -> None:
        self.stage, self.seconds, self.start = stage, minutes * 60, time.time()
        self.step, self.sums, self.last = 0, {}, time.time()
        self.log = (RUNS / f"{stage}.log").open("a")

    @property
    def done(self) -> float:
        """Fraction of the minutes that has passed, 0 to 1."""
        return min(1.0, (time.time() - self.start) / self.seconds)

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
