"""``napari-pixcell train-stain``: a stain of your own, from pairs of pictures."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from napari_pixcell.cli import options as cli
from napari_pixcell.cli.running import engine, resumable
from napari_pixcell.engine.events import Trained
from napari_pixcell.engine.training.new_requests import stain_training, with_region_pair
from napari_pixcell.engine.training.request import FLOW_STEPS, LORA_BATCH, LORA_STEPS, TrainRequest
from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.region import Region

BASE = "family to start from; default: pixcell-1024 if installed, else demo-ki67"


def _side(name: str, words: str) -> cli.Option:
    """Declare the pictures of one side of the pairs."""
    text = f"pictures of {words}; or a slide, with --{name}-region"
    folder = cli.path(f"--{name}", "FOLDER", text, required=True)
    box = cli.box(f"--{name}-region", "region of the slide, in level-0 pixels")
    return lambda parser: (folder(parser), box(parser))


@cli.command(
    "train-stain",
    cli.argument("name", metavar="NAME", help="name of the stain, such as my-her2"),
    _side("he", "H&E"),
    _side("ihc", "the same tissue in IHC"),
    cli.argument("--base", metavar="FAMILY", help=BASE),
    cli.mpp("pixel size of all pictures, in µm; default: as their files state"),
    cli.number("--steps", FLOW_STEPS, "largest number of training steps"),
    cli.flag("--lora", "also train a LoRA adapter of the generator"),
    cli.number("--lora-steps", LORA_STEPS, "training steps of the adapter"),
    cli.number("--batch", LORA_BATCH, "batch size of the adapter, in tiles"),
    cli.flag("--aligned", "pairs are registered to the pixel; the adapter learns to keep cells"),
    cli.number("--seed", 0, "seed of the training"),
    cli.path("--out", "DIR", "folder of the stain; default: in your data folder"),
    cli.DEVICE,
    cli.examples(
        "train-stain my-her2 --he he --ihc ihc",
        "train-stain my-her2 --he he --ihc ihc --lora --device cuda --out my-her2",
    ),
)
def train_stain(options: cli.Options) -> cli.Result:
    """Train a stain of your own on pairs of H&E and IHC. Run it again to resume."""
    request = stain_training(
        options.name,
        options.he,
        options.ihc,
        base=options.base,
        out=options.out,
        mpp=options.mpp,
        steps=options.steps,
        lora=options.lora,
        lora_steps=options.lora_steps,
        aligned=options.aligned,
        batch=options.batch,
        seed=options.seed,
    )
    if options.he_region or options.ihc_region:
        request = _with_regions(request, options)
    return resumable(partial(engine().run, request), Trained, Path(request.out), _result)


def _result(stain: Trained) -> cli.Result:
    return {
        "stain": stain.name,
        "taught": stain.sentence(),
        "held-out error": stain.held_out,
        "by one shift": stain.shift,
        "folder": stain.folder,
        "next": f"napari-pixcell stain SLIDE --region x,y,w,h --stain {stain.name} --out DIR",
    }


def _with_regions(request: TrainRequest, options: cli.Options) -> TrainRequest:
    """Return the request to train on regions of slides, which become a pair."""
    from napari_pixcell.slides import open_slide

    if not (options.he_region and options.ihc_region):
        raise PixCellError("Regions of both slides are needed. Add --he-region and --ihc-region.")
    he, ihc = (
        (open_slide(path, options.mpp), Region.parse(text))
        for path, text in ((options.he, options.he_region), (options.ihc, options.ihc_region))
    )
    return with_region_pair(request, he, ihc)
