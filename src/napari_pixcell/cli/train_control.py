"""``napari-pixcell train-control``: a ControlNet of your own, from images and masks."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from napari_pixcell.cells.class_map import read_palette
from napari_pixcell.cells.methods import METHODS, SegmentMethod
from napari_pixcell.cli import options as cli
from napari_pixcell.cli.messages import note
from napari_pixcell.cli.running import engine, resumable
from napari_pixcell.engine.events import TrainedControl
from napari_pixcell.engine.training.control.request import CONTROL_BATCH, CONTROL_STEPS, STARTS
from napari_pixcell.engine.training.new_requests import control_training
from napari_pixcell.models.families import get_family
from napari_pixcell.models.training_memory import card_words

PAIRS = "images with masks: folders “images” and “masks”, or a.png beside a_masks.tif or a.geojson"
BASE = "family to start from; default: pixcell-256-cells if installed, else demo"
PALETTE = "classes and their colours, such as tumour=#ff2020,stroma=#2060ff; implies --classes"
START = "auto: the ControlNet of the base, if it has one; base: the blocks of the base"
SEGMENT = "how images without masks are segmented"
PLAN = "only print what GPUs of 16, 24, 48 and 80 GB can train"


@cli.command(
    "train-control",
    cli.argument("name", metavar="NAME", help="name of the model, such as my-cells"),
    cli.path("--pairs", "FOLDER", PAIRS, required=True),
    cli.argument("--base", metavar="FAMILY", help=BASE),
    cli.flag("--classes", "draw each class of cells in a colour of its own"),
    cli.argument("--palette", default="", metavar="NAME=COLOUR,…", help=PALETTE),
    cli.argument("--start", choices=STARTS, default=STARTS[0], help=START),
    cli.argument("--segment", choices=METHODS, default=METHODS[0], help=SEGMENT),
    cli.mpp("pixel size of all images, in µm; default: as their files state"),
    cli.number("--steps", CONTROL_STEPS, "training steps"),
    cli.number("--batch", CONTROL_BATCH, "tiles per step"),
    cli.number("--seed", 0, "seed of the training"),
    cli.flag("--plan", PLAN),
    cli.path("--out", "DIR", "folder of the ControlNet; default: in your data folder"),
    cli.DEVICE,
    cli.examples(
        "train-control my-cells --pairs pairs --plan",
        "train-control my-cells --pairs pairs --classes --out my-cells",
    ),
)
def train_control(options: cli.Options) -> cli.Result:
    """Train a ControlNet of your own on images and masks. Run it again to resume."""
    request = control_training(
        options.name,
        options.pairs,
        base=options.base,
        out=options.out,
        classes=options.classes,
        palette=read_palette(options.palette) if options.palette else (),
        start=options.start,
        segment=SegmentMethod(options.segment),
        mpp=options.mpp,
        steps=options.steps,
        batch=options.batch,
        seed=options.seed,
    )
    if options.plan:
        plan = card_words(get_family(request.family), request.batch)
        return {"base": request.family, "plan": plan}
    return resumable(partial(engine().run, request), TrainedControl, Path(request.out), _result)


def _result(control: TrainedControl) -> cli.Result:
    if not control.follows:
        note(control.sentence())
    return {
        "model": control.name,
        "trained": control.sentence(),
        "held-out error": control.held_out,
        "with another mask": control.other,
        "agreement": list(control.agreement),
        "follows": control.follows,
        "folder": control.folder,
        "next": f"napari-pixcell generate SLIDE --region x,y,w,h --family {control.name} "
        "--layout CELLS --out DIR",
    }
