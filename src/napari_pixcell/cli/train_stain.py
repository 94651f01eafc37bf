"""``napari-pixcell train-stain``: a stain of your own, from pairs of pictures."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from napari_pixcell.cli import options as cli
from napari_pixcell.cli.running import engine, resumable
from napari_pixcell.engine.events import Trained
from napari_pixcell.engine.training.pairs import write_region_pair
from napari_pixcell.engine.training.request import FLOW_STEPS, LORA_BATCH, LORA_STEPS, TrainRequest
from napari_pixcell.errors import PixCellError
from napari_pixcell.folders import data_folder
from napari_pixcell.models.catalogue import BUILT_IN
from napari_pixcell.models.families import usual_base
from napari_pixcell.models.own_families import check_own_name
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
    return resumable(partial(engine().run, request), Trained, out, _result)


def _result(stain: Trained) -> cli.Result:
    return {
        "stain": stain.name,
        "taught": stain.sentence(),
        "held-out error": stain.held_out,
        "by one shift": stain.shift,
        "folder": stain.folder,
        "next": f"napari-pixcell stain SLIDE --region x,y,w,h --stain {stain.name} --out DIR",
    }


def _folders(options: cli.Options, out: Path, base: str) -> tuple[Path, Path]:
    """Return the folders of H&E and IHC; regions of slides are written to new ones."""
    from napari_pixcell.models.families import get_family
    from napari_pixcell.slides import check_region, open_slide

    if not options.he_region and not options.ihc_region:
        return options.he, options.ihc
    if not (options.he_region and options.ihc_region):
        raise PixCellError("Regions of both slides are needed. Add --he-region and --ihc-region.")
    family, sides = get_family(base), []
    for path, text in ((options.he, options.he_region), (options.ihc, options.ihc_region)):
        slide, region = open_slide(path, options.mpp), Region.parse(text)
        check_region(region, slide, family.tile, family.mpp)
        sides.append((slide, region))
    options.mpp = None  # the new pictures state their own
    return write_region_pair(sides[0], sides[1], family, out / "pairs")
