"""``napari-pixcell dataset``: many checked pairs from a recipe."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_pixcell.datasets.formats import FORMATS
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe, Part
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.splits import Split
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.engine.events import Event, Notice, Progress
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import get_family

Result = dict[str, Any]
GetEngine = Callable[[], Any]


def add_dataset_command(commands: Any, common: argparse.ArgumentParser, engine: GetEngine) -> None:
    """Add ``dataset`` and its own commands to the parser; ``engine`` gives the one to use."""
    text = "Make, check and convert datasets of image–mask pairs."
    dataset = commands.add_parser("dataset", help=text, description=text)
    actions = dataset.add_subparsers(required=True, metavar="ACTION")

    def add(name: str, function: Callable[[argparse.Namespace], Result], text: str) -> Any:
        action = actions.add_parser(name, help=text, description=text, parents=[common])
        action.set_defaults(command=function)
        return action

    make = add("make", lambda options: _make(options, engine), "Make a dataset from a recipe.")
    make.add_argument("recipe", metavar="RECIPE.json", type=Path)
    make.add_argument("--out", type=Path, metavar="DIR", help="a new folder")
    make.add_argument("--count", action="store_true", help="only say how many pairs there will be")
    _add_first(make)

    text = "Make a synthetic twin of each tile of slides, pictures or folders of pictures."
    twin = add("twin", lambda options: _twin(options, engine), text)
    twin.add_argument("sources", metavar="SLIDE", type=Path, nargs="+", help="or folder")
    twin.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder")
    twin.add_argument("--family", default="demo", help="models to use")
    twin.add_argument("--mpp", type=float, help="pixel size in µm, where a file has none")
    twin.add_argument("--name", default="Twin", help="of the dataset")
    _add_first(twin)

    text = "Go on with a dataset that was stopped."
    resume = add("resume", lambda options: _resume(options, engine), text)
    resume.add_argument("folder", metavar="DIR", type=Path)
    resume.add_argument(
        "--recipe", type=Path, help="if styles and layouts are not complete on this machine"
    )
    _add_first(resume)

    text = "Look at every file: complete, unchanged, marked as synthetic, traceable."
    add("check", _check, text).add_argument("folder", metavar="DIR", type=Path)

    report = add("report", _report, "Write one HTML page about a dataset.")
    report.add_argument("folder", metavar="DIR", type=Path)
    report.add_argument("--out", type=Path, metavar="FILE.html", help="default: DIR/report.html")

    text = "Write the pairs that are used as another program reads them."
    convert = add("convert", _convert, text)
    convert.add_argument("folder", metavar="DIR", type=Path)
    convert.add_argument("--format", required=True, choices=FORMATS, help=_formats())
    convert.add_argument("--out", type=Path, required=True, metavar="OUT", help="a new folder")
    convert.add_argument(
        "--split",
        type=float,
        default=0.0,
        metavar="PART",
        help="for validation: no slide and no layout is on both sides",
    )
    convert.add_argument("--test-split", type=float, default=0.0, metavar="PART", help="likewise")
    convert.add_argument("--seed", type=int, default=0, help="of the split")


def _formats() -> str:
    return "; ".join(f"{name}: {words}" for name, words in FORMATS.items())


def _add_first(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--first", type=int, metavar="N", help="make only so many pairs now; “resume” makes more"
    )


def _make(options: argparse.Namespace, engine: GetEngine) -> Result:
    recipe = DatasetRecipe.load(options.recipe)
    if options.count:
        from napari_pixcell.datasets.recipe.preparing import count_pairs

        return {"pairs": count_pairs(recipe)}
    if options.out is None:
        raise PixCellError("Say where the dataset goes: --out DIR, a new folder.")
    return _run(DatasetRequest(str(options.out), recipe, options.first), engine)


def _twin(options: argparse.Namespace, engine: GetEngine) -> Result:
    styles: list[Part] = []
    for source in options.sources:
        path = str(source.resolve())
        part: Part = {"from": "slide", "slide": path}
        if source.is_dir():
            part = {"from": "folder", "path": path}
        elif source.suffix.lower() in (".png", ".jpg", ".jpeg"):
            part = {"from": "picture", "path": path}
        styles.append(part | ({"mpp": options.mpp} if options.mpp else {}))
    layouts: tuple[Part, ...] = ({"from": "style"},)
    if not get_family(options.family).takes_layout:
        layouts = ()
    pairing = "matched" if layouts else "each"
    recipe = DatasetRecipe(options.name, options.family, tuple(styles), layouts, pairing)
    return _run(DatasetRequest(str(options.out), recipe, options.first), engine)


def _resume(options: argparse.Namespace, engine: GetEngine) -> Result:
    Dataset(options.folder)  # refused before anything is loaded
    recipe = DatasetRecipe.load(options.recipe) if options.recipe else None
    return _run(DatasetRequest(str(options.folder), recipe, options.first), engine)


def _run(request: DatasetRequest, engine: GetEngine) -> Result:
    from napari_pixcell.datasets.recipe.making import make_dataset
    from napari_pixcell.datasets.report.sheets import write_first_sheet
    from napari_pixcell.datasets.store.table import PairTable

    if request.most is not None and request.most < 1:
        raise PixCellError(f"{request.most} pairs are to be made; choose 1 or more.")
    try:
        make_dataset(request, engine().run, _tell)
    except KeyboardInterrupt:
        print(
            f"\nCancelled; go on with: napari-pixcell dataset resume {request.folder}",
            file=sys.stderr,
        )
        return {"exit code": 130}
    dataset = Dataset(request.folder)
    table = PairTable(dataset)
    sheet = write_first_sheet(dataset) if len(table) else None
    return {
        "folder": request.folder,
        "pairs": len(table),
        "planned": len(dataset.plan),
        "flagged": int(table.flagged.sum()),
        "first pairs": str(sheet),
    }


def _check(options: argparse.Namespace) -> Result:
    from napari_pixcell.datasets.store.completeness import check_dataset

    found = check_dataset(Dataset(options.folder), _count)
    return found.to_dict() | {"exit code": found.exit_code}


def _report(options: argparse.Namespace) -> Result:
    from napari_pixcell.datasets.report import write_report

    path = options.out or options.folder / "report.html"
    return {"report": str(write_report(Dataset(options.folder), path, _count))}


def _convert(options: argparse.Namespace) -> Result:
    from napari_pixcell.datasets.formats import convert

    split = None
    if options.split or options.test_split:
        split = Split(options.split, options.test_split, options.seed)
    dataset = Dataset(options.folder)
    converted = convert(dataset, options.format, options.out, split, _count)
    return {
        "folder": str(converted.folder),
        "pairs": dict(converted.counts) if options.json else converted.sentence,
        "left out by the split": converted.mixed,
        "not used": converted.unused,
    }


def _count(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done:,} of {total:,}  ", end="", file=sys.stderr)


def _tell(event: Event) -> None:
    if isinstance(event, Notice):
        print(event.message, file=sys.stderr)
    elif isinstance(event, Progress) and sys.stderr.isatty():
        print(f"\r{event.message}  ", end="", file=sys.stderr)
