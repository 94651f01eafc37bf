"""The command that teaches a stain by pairs of pictures."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_pixcell.engine.events import Event, Notice, Progress, Trained
from napari_pixcell.engine.training.pairs import write_region_pair
from napari_pixcell.engine.training.request import FLOW_STEPS, LORA_BATCH, LORA_STEPS, TrainRequest
from napari_pixcell.errors import PixCellError
from napari_pixcell.folders import data_folder
from napari_pixcell.models.catalogue import BUILT_IN
from napari_pixcell.models.own_families import check_own_name
from napari_pixcell.models.stain_families import usual_base
from napari_pixcell.slides.region import Region

Run = Callable[[TrainRequest, Callable[[Event], None]], None]
SECONDS = 5.0  # from one line to the next where there is no terminal


def add_train_stain_command(
    commands: Any, parents: list[argparse.ArgumentParser], run: Run
) -> None:
    """Add ``train-stain``.

    Parameters
    ----------
    commands : subparsers
        Of the program.
    parents : list of ArgumentParser
        With the options that all commands have.
    run : callable
        Runs a request and tells its events.
    """
    text = "Teach a stain of your own by pairs of H&E and IHC; run it again to go on."
    command = commands.add_parser("train-stain", help=text, description=text, parents=parents)
    command.set_defaults(command=lambda options: _train(options, run))
    command.add_argument("name", metavar="NAME", help="of the stain, such as my-her2")
    for side, words in (("he", "H&E"), ("ihc", "IHC of the same places")):
        command.add_argument(
            f"--{side}",
            type=Path,
            required=True,
            metavar="FOLDER",
            help=f"pictures of {words}; or a slide, with --{side}-region",
        )
        command.add_argument(f"--{side}-region", metavar="x,y,w,h", help="in level-0 pixels")
    command.add_argument(
        "--base",
        metavar="FAMILY",
        help="what it builds on, a stain to go on with or a plain model; default: pixcell-1024 "
        "where it is installed, else demo-ki67",
    )
    command.add_argument("--mpp", type=float, help="pixel size of all pictures in µm")
    command.add_argument("--steps", type=int, default=FLOW_STEPS, help="of the flow, at most")
    command.add_argument(
        "--lora", action="store_true", help="also teach the generator, by an adapter (LoRA)"
    )
    command.add_argument("--lora-steps", type=int, default=LORA_STEPS, help="of the adapter")
    command.add_argument(
        "--batch", type=int, default=LORA_BATCH, help="tiles of one step of the adapter"
    )
    command.add_argument(
        "--aligned",
        action="store_true",
        help="the pairs fit to the pixel: teach the adapter to keep cells in their places",
    )
    command.add_argument("--seed", type=int, default=0)
    command.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the stain; default: among your data"
    )


def _train(options: argparse.Namespace, run: Run) -> dict[str, Any]:
    check_own_name(options.name, BUILT_IN)
    out = options.out or data_folder() / "stains" / options.name
    base = options.base or usual_base().name
    he, ihc = _folders(options, out, base)
    request = TrainRequest(
        name=options.name,
        family=base,
        he=str(he.resolve()),
        ihc=str(ihc.resolve()),
        out=str(out.resolve()),
        mpp=options.mpp,
        steps=options.steps,
        lora_steps=options.lora_steps if options.lora else 0,
        aligned=options.aligned,
        batch=options.batch,
        seed=options.seed,
    )
    lines = _Lines()
    try:
        run(request, lines)
    except KeyboardInterrupt:
        lines.end()
        words = f"Stopped; run the same command again to go on. What was done is kept in {out}."
        print(words, file=sys.stderr)
        return {"stopped": True, "folder": str(out), "exit code": 130}
    lines.end()
    taught = lines.taught
    assert taught is not None
    return {
        "stain": taught.name,
        "taught": taught.sentence(),
        "held-out error": taught.held_out,
        "by one shift": taught.shift,
        "folder": taught.folder,
        "next": f"napari-pixcell stain SLIDE --region x,y,w,h --stain {taught.name} --out DIR",
    }


def _folders(options: argparse.Namespace, out: Path, base: str) -> tuple[Path, Path]:
    """Give the two folders, made of regions of slides where those were given."""
    from napari_pixcell.models.catalogue import get_family
    from napari_pixcell.slides import check_region, open_slide

    if not options.he_region and not options.ihc_region:
        return options.he, options.ihc
    if not (options.he_region and options.ihc_region):
        raise PixCellError("Give a region of both slides: --he-region and --ihc-region.")
    family = get_family(base)
    places = []
    for path, text in ((options.he, options.he_region), (options.ihc, options.ihc_region)):
        slide, region = open_slide(path, options.mpp), Region.parse(text)
        check_region(region, slide, family.tile, family.mpp)
        places.append((slide, region))
    options.mpp = None  # they are written with theirs
    return write_region_pair(places[0], places[1], family, out / "pairs")


class _Lines:
    """Progress in one line of a terminal, or a line now and then."""

    def __init__(self) -> None:
        self.taught: Trained | None = None
        self._terminal = sys.stderr.isatty()
        self._last = 0.0
        self._open = False

    def __call__(self, event: Event) -> None:
        match event:
            case Trained():
                self.taught = event
            case Notice(message):
                self.end()
                print(message, file=sys.stderr)
            case Progress():
                self._show(event.message)

    def _show(self, text: str) -> None:
        now = time.monotonic()
        if self._terminal:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
            self._open = True
        elif now - self._last > SECONDS:
            print(text, file=sys.stderr, flush=True)
            self._last = now

    def end(self) -> None:
        """End a line that is open."""
        if self._open:
            print(file=sys.stderr)
            self._open = False
