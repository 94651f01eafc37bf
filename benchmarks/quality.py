"""Flags of the dataset checks for good and bad pairs, and the cost of the checks.

    python benchmarks/quality.py [--styles 20] [--tissue ../shared/data] [--keep pairs.npz]

Styles are tiles of the tissue in ``../shared/data``, each from another field. For each, the demo
family generates pairs at its default steps with three layouts: the tile's own cells, one invented
from their statistics, and one of other tissue, which may contradict the style. These are then
spoiled on purpose. The default thresholds of the checks were chosen with this table.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.color import hsv2rgb, rgb2hsv

from napari_pixcell.cells import invent, measure, segment_nuclei
from napari_pixcell.datasets.quality import Checker, RealTiles, Verdict, look_of
from napari_pixcell.datasets.quality.distribution import compare
from napari_pixcell.datasets.quality.looks import unit
from napari_pixcell.datasets.store.checks import FLAGS, SCORES, Checks
from napari_pixcell.datasets.store.dataset import DatasetStyle
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Embedding, Event, Variant
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import EmbedRequest, GenerateRequest, Request
from napari_pixcell.models.catalogue import DEMO
from napari_pixcell.slides import Region, open_slide

SIDE, MPP = DEMO.tile, DEMO.mpp
MOVED = 10  # px
GOOD = ("own layout", "layout like it", "layout of other tissue")
Picture = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Tile:
    """A tile of real tissue, with its style and layout."""

    field: str
    y: int
    x: int
    pixels: Picture
    style: DatasetStyle

    @property
    def source(self) -> str:
        return self.field.split("/")[0]


@dataclass(frozen=True, eq=False)
class Pair:
    """An image, its mask, and the tile of its style."""

    image: Picture
    labels: NDArray[np.int32]
    tile: Tile


def fields(data: Path) -> Iterator[tuple[str, Picture]]:
    """Return tissue at 0.5 µm/px."""
    for folder, ending in (("brecahad_30", "jpg"), ("tnbc_naylor_subset", "png")):
        for path in sorted((data / folder / "images").glob(f"*.{ending}")):
            yield f"{folder}/{path.stem}", np.asarray(Image.open(path).convert("RGB").reduce(2))
    slide = open_slide(data / "wsi_cmu1_small_region" / "CMU-1-Small-Region.svs")
    height, width = slide.shape
    whole = slide.read(Region(0, 0, width, height), MPP)
    for number, row in enumerate(np.array_split(whole, 4)):
        yield f"skin/{number}", row


def run(engine: Engine, request: Request) -> list[Event]:
    events: list[Event] = []
    engine.run(request, events.append, previews=False)
    return events


def embed(engine: Engine, pixels: Picture) -> NDArray[np.float32]:
    events = run(engine, EmbedRequest("demo", PackedArray.pack(pixels)))
    return next(e.values for e in events if isinstance(e, Embedding))


def cut(engine: Engine, tissue: dict[str, Picture]) -> list[Tile]:
    """Cut all fields into tiles, without those that are mostly glass."""
    tiles: list[Tile] = []
    for name, field in tissue.items():
        for y in range(0, field.shape[0] - SIDE + 1, SIDE):
            for x in range(0, field.shape[1] - SIDE + 1, SIDE):
                pixels = np.ascontiguousarray(field[y : y + SIDE, x : x + SIDE])
                if (pixels.min(axis=-1) > 215).mean() < 0.7:
                    style = DatasetStyle(
                        len(tiles), name, name, embed(engine, pixels), look_of(pixels)
                    )
                    tiles.append(Tile(name, y, x, pixels, style))
    return tiles


def generate(engine: Engine, tile: Tile, labels: NDArray[np.int32], seed: int) -> Pair:
    request = GenerateRequest(
        "demo",
        PackedArray.pack(tile.style.embedding),
        PackedArray.pack(labels.astype(np.uint16)),
        seed=seed,
        count=1,
        steps=DEMO.steps,
        guidance=DEMO.layout_guidance,
    )
    image = next(e.image for e in run(engine, request) if isinstance(e, Variant))
    return Pair(image, labels, tile)


def make_pairs(engine: Engine, styles: list[Tile]) -> dict[str, list[Pair]]:
    """Generate the good pairs."""
    made: dict[str, list[Pair]] = {name: [] for name in GOOD}
    cells = [segment_nuclei(tile.pixels, MPP) for tile in styles]
    for number, tile in enumerate(styles):
        recipe = replace(measure(cells[number], MPP), seed=number)
        like = invent(recipe, (SIDE, SIDE), MPP).labels
        layouts = cells[number], like, cells[(number + 1) % len(styles)]
        for (name, pairs), labels in zip(made.items(), layouts, strict=True):
            pairs.append(generate(engine, tile, labels, 1000 * number + len(name)))
    return made


def turn_hue(image: Picture, turn: float) -> Picture:
    hsv = rgb2hsv(image)
    hsv[..., 0] = (hsv[..., 0] + turn) % 1
    return (255 * hsv2rgb(hsv)).round().astype(np.uint8)


def blur(image: Picture, sigma: float) -> Picture:
    return gaussian_filter(image.astype(float), (sigma, sigma, 0)).round().astype(np.uint8)


def overexpose(image: Picture) -> Picture:
    return (2.0 * (image.astype(float) - 128) + 160).clip(0, 255).astype(np.uint8)


def spoil(pairs: list[Pair], tissue: dict[str, Picture]) -> dict[str, list[Pair]]:
    """Spoil good pairs in several ways."""
    rng = np.random.default_rng(0)

    def other(tile: Tile, far: bool) -> Tile:
        here = tile.source if far else tile.field
        there = [p.tile for p in pairs if (p.tile.source if far else p.tile.field) != here]
        return there[rng.integers(len(there))]

    def images(change: str, of: list[Picture]) -> list[Pair]:
        return [replace(pair, image=image) for pair, image in zip(pairs, of, strict=True)]

    def near(tile: Tile) -> Picture:
        field = tissue[tile.field]
        y, x = (
            min(at + by, length - SIDE) if at + SIDE < length else max(0, at - by)
            for at, by, length in zip((tile.y, tile.x), (37, 21), field.shape, strict=False)
        )
        return np.ascontiguousarray(field[y : y + SIDE, x : x + SIDE])

    made, real = [p.image for p in pairs], [p.tile.pixels for p in pairs]
    half = len(pairs) // 2
    return {
        "mask of another pair": [
            replace(p, labels=pairs[(i + half) % len(pairs)].labels) for i, p in enumerate(pairs)
        ],
        "mask flipped": [replace(p, labels=p.labels[::-1]) for p in pairs],
        "mask moved by 5 µm": [replace(p, labels=np.roll(p.labels, MOVED, axis=1)) for p in pairs],
        "mask moved by 2.5 µm": [
            replace(p, labels=np.roll(p.labels, MOVED // 2, axis=1)) for p in pairs
        ],
        "style of another field": [replace(p, tile=other(p.tile, False)) for p in pairs],
        "style of another source": [replace(p, tile=other(p.tile, True)) for p in pairs],
        "copy": images("copy", real),
        "copy, flipped": images("flip", [i[:, ::-1].copy() for i in real]),
        "copy, rotated and tinted": images("tint", [turn_hue(np.rot90(i), 0.1) for i in real]),
        "copy, blurred": images("soft", [blur(i, 1.5) for i in real]),
        "copy, 10 and 18 µm away": images("moved", [near(p.tile) for p in pairs]),
        "hue shifted by 72°": images("hue", [turn_hue(i, 0.2) for i in made]),
        "hue shifted by 36°": images("hue", [turn_hue(i, 0.1) for i in made]),
        "blurred, 1 µm": images("blur", [blur(i, 2) for i in made]),
        "blurred, 0.75 µm": images("blur", [blur(i, 1.5) for i in made]),
        "blank": images("blank", [np.full_like(i, 240) for i in made]),
        "black": images("black", [np.zeros_like(i) for i in made]),
        "overexposed": images("over", [overexpose(i) for i in made]),
        "not a number": images("nan", [np.full(i.shape, np.nan) for i in made]),
    }


def show(name: str, verdicts: list[Verdict]) -> None:
    """Print how many pairs have which flag."""
    flagged = np.mean([bool(v.flags) for v in verdicts])
    why = {flag: np.mean([flag in v.flags for v in verdicts]) for flag in FLAGS}
    words = ", ".join(f"{flag} {100 * share:.0f}" for flag, share in why.items() if share)
    print(f"| {name} | {len(verdicts)} | {100 * flagged:.0f} | {words} |", flush=True)


def show_scores(verdicts: list[Verdict]) -> None:
    print("\n| score | least | 5 % | 25 % | 50 % | 75 % | 95 % | most |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in SCORES:
        values = [v.scores[name] for v in verdicts if v.scores[name] is not None]
        points = np.percentile(values, [0, 5, 25, 50, 75, 95, 100])
        print(f"| {name} | {' | '.join(f'{point:.3g}' for point in points)} |")


def choose(tiles: list[Tile], count: int) -> list[Tile]:
    """Choose tiles with enough cells to measure, each from another field."""
    chosen: dict[str, Tile] = {}
    for number in np.random.default_rng(0).permutation(len(tiles)):
        tile = tiles[number]
        if tile.field not in chosen and segment_nuclei(tile.pixels, MPP).max() >= 30:
            chosen[tile.field] = tile
        if len(chosen) == count:
            break
    return list(chosen.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--styles", type=int, default=20)
    parser.add_argument(
        "--tissue", type=Path, default=Path(os.environ.get("PIXCELL_SHARED", "../shared")) / "data"
    )
    parser.add_argument("--keep", type=Path, help="file in which pairs are kept and reused")
    options = parser.parse_args()
    torch.set_num_threads(1)
    engine, tissue = Engine(), dict(fields(options.tissue))
    tiles = cut(engine, tissue)
    styles = choose(tiles, options.styles)
    real = RealTiles()
    for tile in tiles:
        real.add(tile.pixels, tile.style.embedding)
    made, seconds = kept(engine, styles, options.keep)

    checker = Checker(Checks(), DEMO, MPP, lambda request: run(engine, request), real)
    started = time.process_time()
    first = made[GOOD[0]][0]
    checker.check(first.image, first.labels, first.tile.style)
    print(
        f"{len(tiles)} real tiles; a copy is beyond {checker.most_copy_pixels:.2f}; "
        f"first check {time.process_time() - started:.1f} s\n"
    )

    def look(pairs: list[Pair]) -> list[Verdict]:
        return [checker.check(p.image, p.labels, p.tile.style) for p in pairs]

    print("| pairs | number | flagged, % | for |\n| --- | --- | --- | --- |")
    good: list[Verdict] = []
    started = time.process_time()
    for name, pairs in made.items():
        verdicts = look(pairs)
        show(f"**{name}**", verdicts)
        good += verdicts if name != GOOD[2] else []
    each = (time.process_time() - started) / sum(map(len, made.values()))
    for name, pairs in spoil(made[GOOD[0]][::2] + made[GOOD[1]][1::2], tissue).items():
        show(name, look(pairs))
    show_scores(good)
    show_distribution(real, good)
    print(f"\nPer pair on one core: {seconds:.2f} s to generate, {1000 * each:.0f} ms to check.")


def show_distribution(real: RealTiles, verdicts: list[Verdict]) -> None:
    """Print how close the good pairs with fitting layouts are to the real tiles."""
    own = np.concatenate([one.embedding for one in verdicts if one.embedding is not None])
    found = compare(real.embeddings, unit(own))
    if found is not None:
        print("\n| | pairs | real tiles |\n| --- | --- | --- |")
        for name, value in asdict(found.measured).items():
            print(f"| {name} | {value:.3g} | {getattr(found.floor, name):.3g} |")


def kept(
    engine: Engine, styles: list[Tile], path: Path | None
) -> tuple[dict[str, list[Pair]], float]:
    """Generate or read the good pairs. Return them, and the seconds per pair."""
    if path is not None and path.exists():
        with np.load(path) as file:
            seconds = float(file["seconds"])
            made = {
                name: list(map(Pair, file[f"{name} images"], file[f"{name} labels"], styles))
                for name in GOOD
            }
        return made, seconds
    started = time.process_time()
    made = make_pairs(engine, styles)
    seconds = (time.process_time() - started) / sum(map(len, made.values()))
    if path is not None:
        parts = {f"{name} images": [p.image for p in pairs] for name, pairs in made.items()}
        parts |= {f"{name} labels": [p.labels for p in pairs] for name, pairs in made.items()}
        np.savez(path, seconds=seconds, **parts)
    return made, seconds


if __name__ == "__main__":
    main()
