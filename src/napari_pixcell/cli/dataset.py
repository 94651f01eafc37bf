"""``napari-pixcell dataset``: image–mask pairs from a recipe, checked and converted."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

from napari_pixcell.cells.methods import CELLPOSE_MODEL
from napari_pixcell.cli import options as cli
from napari_pixcell.cli.dataset_cluster import on_cluster, run_on_cluster
from napari_pixcell.cli.dataset_processes import (
    RECIPE,
    WORKERS,
    cancelled,
    in_processes,
    join_parts,
    made_result,
    run_in_processes,
    run_shard,
)
from napari_pixcell.cli.dataset_runs import DETACH, RunOutput, make_logged
from napari_pixcell.cli.messages import note
from napari_pixcell.cli.progress import ProgressLine
from napari_pixcell.cli.running import engine, resumable
from napari_pixcell.datasets.formats import FORMATS
from napari_pixcell.datasets.processes import Processes, worker_count
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe, Part, best_of, recipe_schema
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.splits import Split
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.engine.colour_match import colour_setting
from napari_pixcell.engine.events import Evaluated
from napari_pixcell.engine.presets import EXACT
from napari_pixcell.errors import PixCellError
from napari_pixcell.evaluation.arms import ARMS, USUAL_ARMS
from napari_pixcell.evaluation.request import NETWORKS, OUT, SEEDS, SHARE, STEPS, EvaluateRequest
from napari_pixcell.models.families import get_family

PICTURES = (".png", ".jpg", ".jpeg")
FIRST = cli.argument(
    "--first", type=int, metavar="N", help="make only N pairs; “resume” makes the rest"
)
FORMAT = "; ".join(f"{name}: {words}" for name, words in FORMATS.items())
ARM_HELP = f"some of: {', '.join(ARMS)}; default: {', '.join(USUAL_ARMS)}"
NETWORK_HELP = "the small U-Net, or your Cellpose, fine-tuned (needs a GPU); default: %(default)s"
CORES = cli.argument(
    "--workers", type=int, metavar="N", help="processes that share the work; default: all cores"
)
SOURCES = f"slide, picture or folder of pictures, or “{cli.SAMPLE}” for the bundled slide"
SPLIT = "fraction for {}; no slide or layout is in two splits"


@cli.command(
    "dataset make",
    RECIPE,
    cli.path("--out", "DIR", "new folder to write"),
    cli.flag("--plan", "only print the number of pairs", was=["--count"]),
    FIRST,
    WORKERS,
    cli.DEVICE,
    DETACH,
    cli.examples(
        "dataset make recipe.json --plan", "dataset make recipe.json --out pairs --first 16"
    ),
)
def make(options: cli.Options) -> cli.Result:
    """Make a dataset from a recipe."""
    recipe = DatasetRecipe.load(options.recipe)
    if options.plan:
        from napari_pixcell.datasets.recipe.preparing import count_pairs

        return {"pairs": count_pairs(recipe)}
    if options.out is None:
        raise PixCellError("No output is named. Add --out DIR, a new folder.")
    return _run(DatasetRequest(str(options.out), recipe, options.first), options)


@cli.command("dataset schema", cli.examples("dataset schema > recipe.schema.json"))
def schema(options: cli.Options) -> cli.Result:
    """Print the JSON Schema of recipes, with which editors complete and check them."""
    if options.json:
        return recipe_schema()
    print(json.dumps(recipe_schema(), indent=2, ensure_ascii=False))
    return {}


@cli.command(
    "dataset twin",
    cli.slide("sources", SOURCES, nargs="+"),
    cli.path("--out", "DIR", "new folder to write", required=True),
    cli.FAMILY,
    cli.mpp(),
    cli.argument("--name", default="Twin", metavar="NAME", help="name of the dataset"),
    cli.COLOUR_MATCH,
    cli.number("--best-of", 1, "images made for each tile, of which the best is kept", "K"),
    FIRST,
    WORKERS,
    cli.DEVICE,
    DETACH,
    cli.examples(
        "dataset twin sample --out twin --first 4",
        "dataset twin slides --family pixcell-256-cells --out twin --gpus all --detach",
    ),
)
def twin(options: cli.Options) -> cli.Result:
    """Make a synthetic twin of each tile of slides, pictures or folders of pictures."""
    styles: list[Part] = []
    for source in options.sources:
        path = str(source.resolve())
        part: Part = {"from": "slide", "slide": path}
        if source.is_dir():
            part = {"from": "folder", "path": path}
        elif source.suffix.lower() in PICTURES:
            part = {"from": "picture", "path": path}
        styles.append(part | ({"mpp": options.mpp} if options.mpp else {}))
    layouts: tuple[Part, ...] = ({"from": "style"},)
    family = get_family(options.family)
    if not family.takes_layout:
        layouts = ()
    pairing = "matched" if layouts else "each"
    recipe = DatasetRecipe(
        options.name,
        options.family,
        tuple(styles),
        layouts,
        pairing,
        colour_match=colour_setting(options.colour_match, family, EXACT.name),
        keep=best_of(options.best_of),
    )
    return _run(DatasetRequest(str(options.out), recipe, options.first), options)


@cli.command(
    "dataset resume",
    cli.DATASET,
    cli.path("--recipe", "RECIPE.json", "needed if styles or layouts are incomplete here"),
    FIRST,
    WORKERS,
    cli.DEVICE,
    DETACH,
    cli.examples("dataset resume twin", "dataset resume twin --workers 4"),
)
def resume(options: cli.Options) -> cli.Result:
    """Resume a dataset that was interrupted."""
    Dataset(options.folder)  # raises before anything is loaded
    recipe = DatasetRecipe.load(options.recipe) if options.recipe else None
    return _run(DatasetRequest(str(options.folder), recipe, options.first), options)


def _run(request: DatasetRequest, options: cli.Options) -> cli.Result:
    if request.most is not None and request.most < 1:
        raise PixCellError(f"--first is {request.most}. Choose 1 or more.")
    alone = not options.detach and not on_cluster(options)
    if options.shard is not None and alone:  # shards are neither followed nor locked
        return run_shard(request, options)
    return make_logged(request, options, _make)


def _make(request: DatasetRequest, options: cli.Options, run: RunOutput) -> cli.Result:
    if on_cluster(options):
        return run_on_cluster(request, options, run)
    if in_processes(options):
        return run_in_processes(request, options, run)
    from napari_pixcell.datasets.recipe.making import make_dataset

    try:
        failed = make_dataset(request, engine().run, run.emit, run.cancelled, engine().at_once)
        run.check()
    except KeyboardInterrupt:
        return cancelled(request.folder)
    return made_result(request, failed)


@cli.command("dataset check", cli.DATASET, CORES, cli.examples("dataset check twin"))
def check(options: cli.Options) -> cli.Result:
    """Check that every file is complete, unchanged, marked as synthetic and traceable."""
    from napari_pixcell.datasets.store.completeness import check_dataset

    workers, dataset = worker_count(options.workers), Dataset(options.folder)
    with ProgressLine() as line:
        found = check_dataset(dataset, _pairs(line), workers)
    return cli.checked(found.whole, found.to_dict())


@cli.command(
    "dataset report",
    cli.DATASET,
    cli.path("--out", "FILE.html", "report to write; default: report.html in the folder"),
    CORES,
    cli.examples("dataset report twin", "dataset report twin --out twin.html"),
)
def report(options: cli.Options) -> cli.Result:
    """Write an HTML report of a dataset."""
    from napari_pixcell.datasets.report.tissue import compare_with_tissue
    from napari_pixcell.datasets.report.writing import write_report
    from napari_pixcell.datasets.store.table import PairTable

    workers = worker_count(options.workers)
    join_parts(options.folder)
    path, dataset = options.out or options.folder / "report.html", Dataset(options.folder)
    with Processes(workers) as processes, ProgressLine() as line:
        pairs = PairTable(dataset, processes, _pairs(line))
        line.end()
        tissue = compare_with_tissue(dataset, pairs, processes) if options.json else None

        def show(done: int, total: int) -> None:
            line.show(f"{done:,} of {total:,} scores", done, total)

        written = write_report(dataset, path, show, tissue, pairs, processes)
    _tell_damage(dataset)
    found = {"tissue": tissue.to_dict()} if tissue is not None else {}
    return {"report": str(written)} | found


@cli.command(
    "dataset convert",
    cli.DATASET,
    cli.argument("--format", required=True, choices=FORMATS, help=FORMAT),
    cli.path("--out", "DIR", "new folder to write", required=True),
    cli.number("--split", 0.0, SPLIT.format("validation"), "PART"),
    cli.number("--test-split", 0.0, SPLIT.format("testing"), "PART"),
    cli.number("--seed", 0, "seed of the split"),
    CORES,
    cli.examples(
        "dataset convert twin --format cellpose --out cellpose",
        "dataset convert twin --format coco --split 0.2 --out coco",
    ),
)
def convert(options: cli.Options) -> cli.Result:
    """Convert the accepted pairs to the format of another program."""
    from napari_pixcell.datasets.formats.converting import convert as convert_dataset

    split, workers = None, worker_count(options.workers)
    if options.split or options.test_split:
        split = Split(options.split, options.test_split, options.seed)
    join_parts(options.folder)
    dataset = Dataset(options.folder)
    with ProgressLine() as line:
        converted = convert_dataset(
            dataset, options.format, options.out, split, _pairs(line), workers
        )
    _tell_damage(dataset)
    return {
        "folder": str(converted.folder),
        "pairs": dict(converted.counts) if options.json else converted.sentence,
        "left out by the split": converted.mixed,
        "not used": converted.unused,
    }


@cli.command(
    "dataset evaluate",
    cli.DATASET,
    cli.path("--real", "LABELLED", "folder of labelled tiles: images and labels", required=True),
    cli.path("--test", "LABELLED", "test tiles; default: half of the slides of --real"),
    cli.path(
        "--out", "DIR", f"folder of the results; default: {OUT} in the dataset", was=["--output"]
    ),
    cli.mpp("pixel size of the labelled tiles, in µm; default: as their files state"),
    cli.number("--seeds", SEEDS, "training runs of each arm"),
    cli.number("--steps", STEPS, "training steps on the real tiles alone"),
    cli.number("--share", SHARE, "share of the pairs in a mixture"),
    cli.argument("--network", choices=NETWORKS, default=NETWORKS[0], help=NETWORK_HELP),
    cli.argument("--model", default=CELLPOSE_MODEL, help="Cellpose model; default: %(default)s"),
    cli.argument("--arms", nargs="+", metavar="ARM", default=USUAL_ARMS, help=ARM_HELP),
    cli.DEVICE,
    cli.examples(
        "dataset evaluate twin --real tiles", "dataset evaluate twin --real tiles --test others"
    ),
)
def evaluate(options: cli.Options) -> cli.Result:
    """Measure on your labelled tiles whether the pairs help. Run it again to resume."""
    from napari_pixcell.evaluation.job import evaluate as evaluate_dataset

    request = EvaluateRequest(
        folder=str(options.folder),
        real=str(options.real),
        test=str(options.test or ""),
        out=str(options.out or ""),
        mpp=options.mpp,
        seeds=options.seeds,
        steps=options.steps,
        share=options.share,
        arms=tuple(options.arms),
        network=options.network,
        model=options.model,
    )
    work = partial(evaluate_dataset, request)
    return resumable(work, Evaluated, request.results, _evaluation)


def _evaluation(found: Evaluated) -> cli.Result:
    return {"answer": found.answer, "found": found.sentence, "cost": found.cost, "page": found.page}


def _tell_damage(dataset: Dataset) -> None:
    if dataset.damage:
        note(dataset.damage)


def _pairs(line: ProgressLine) -> Callable[[int, int], None]:
    """Return a function that shows how many pairs of a dataset are done."""
    return lambda done, total: line.show(f"{done:,} of {total:,} pairs", done, total, "pairs")
