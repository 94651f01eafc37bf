"""Nuclei placed before and after a repair, and its cost as a ratio to plain generation.

    python benchmarks/repair.py [--rounds 3] [--tiles 8] [--tissue ../shared/data] [--keep DIR]

Styles are tiles of the breast tissue in ``../shared/data`` at 0.5 µm/px, the fields held out from
the training of the demo family first. Each comes with its own labelled nuclei and with a layout
invented from their statistics. Nuclei are found by the built-in method, before and after.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from utility.data import breast

from napari_pixcell.cells import invent, measure
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Embedding, Event, Variant
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.repair import ROUNDS, Repair
from napari_pixcell.engine.request_values import EmbedRequest, Request
from napari_pixcell.engine.requests import GenerationSettings, generate_request
from napari_pixcell.evaluation.tiles import LabelledTile
from napari_pixcell.models.catalogue import DEMO

E = TypeVar("E", bound=Event)
SIZE = DEMO.tile, DEMO.tile
LINE = "{:>10} {:>8} {:>14} {:>14} {:>7} {:>8}"


def main() -> None:
    """Repair one variant of each layout, and print a line for each and for all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--tiles", type=int, default=8)
    parser.add_argument("--tissue", type=Path, default=Path("../shared/data"))
    parser.add_argument("--keep", type=Path, metavar="DIR", help="write the repaired images")
    options = parser.parse_args()
    engine, task = Engine(), breast(options.tissue / "tnbc_naylor_subset")
    engine.load(DEMO.name)
    rows = []
    print(LINE.format("tile", "nuclei", "placed before", "placed after", "extra", "time"))
    for number, tile in enumerate([*task.test, *task.pool][: options.tiles]):
        pixels = PackedArray.pack(tile.image)
        embedding = answer(engine, EmbedRequest(DEMO.name, pixels), Embedding).values
        for name, labels in layouts(tile):
            row, image = repaired(engine, embedding, labels, options.rounds, number)
            rows.append(row)
            print(line(f"{tile.name} {name}", row), flush=True)
            if options.keep is not None:
                options.keep.mkdir(exist_ok=True)
                Image.fromarray(image).save(options.keep / f"{tile.name}-{name}.png")
    print(line("all", np.sum(rows, axis=0)))
    print("“time” is that of generation and repair, divided by that of generation alone.")


def layouts(tile: LabelledTile) -> list[tuple[str, NDArray[np.int32]]]:
    """Return the labelled nuclei of a tile, and invented ones with their statistics."""
    own = tile.labels.astype(np.int32)
    new = invent(measure(own, DEMO.mpp), SIZE, DEMO.mpp).labels
    return [("own", own), ("new", new)]


def repaired(
    engine: Engine,
    embedding: NDArray[np.float32],
    labels: NDArray[np.int32],
    rounds: int,
    number: int,
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Repair one variant; return its figures, which can be summed, and its image.

    The figures are nuclei, those placed before and after, extra ones before and after, seconds of
    the generation, and seconds of the repair.
    """
    settings = GenerationSettings.for_family(DEMO, layout=True, count=1, seed=100 + number)
    request = generate_request(DEMO, settings, size=SIZE, embedding=embedding, layout=labels)
    begun = time.monotonic()
    variant = answer(engine, replace(request, repair=Repair(rounds)), Variant)
    whole, outcome = time.monotonic() - begun, variant.record.repair
    assert outcome is not None
    before, after = outcome.before, outcome.after
    figures = [after.wanted, before.placed, after.placed, before.extra, after.extra]
    return np.array([*figures, whole - outcome.seconds, outcome.seconds]), np.asarray(variant.image)


def line(name: str, row: NDArray[np.float64]) -> str:
    """Return the figures of a variant, or the sum of several, as a line of the table."""
    nuclei, before, after, extra, still, alone, more = row
    return LINE.format(
        name,
        f"{nuclei:.0f}",
        f"{before:.0f} = {before / nuclei:.1%}",
        f"{after:.0f} = {after / nuclei:.1%}",
        f"{extra:.0f} → {still:.0f}",
        f"{(alone + more) / alone:.1f} ×",
    )


def answer(engine: Engine, request: Request, kind: type[E]) -> E:
    """Run a request, and return its event of one kind."""
    events: list[Event] = []
    engine.run(request, events.append, previews=False)
    return next(event for event in events if isinstance(event, kind))


if __name__ == "__main__":
    main()
