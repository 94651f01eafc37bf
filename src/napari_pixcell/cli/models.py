"""``napari-pixcell models``: list, get, check, remove, export and import weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from napari_pixcell.cli import options as cli
from napari_pixcell.cli.agreement import require_agreement
from napari_pixcell.cli.exit_codes import FindingsError
from napari_pixcell.cli.progress import ProgressLine
from napari_pixcell.cli.tables import print_table
from napari_pixcell.models.catalogue import WeightSet
from napari_pixcell.models.families import get_weight_set, weight_sets
from napari_pixcell.models.hub import download, offer, wanted_parts
from napari_pixcell.models.integrity import family_problems, uncompared_files
from napari_pixcell.models.store import lacks_only_encoder, locations, missing
from napari_pixcell.models.transport import export_family, import_folder, remove
from napari_pixcell.words import file_size

FAMILY = cli.argument("family", metavar="FAMILY", help="name of a family, as in “models list”")


@cli.command("models list", cli.examples("models list", "models list --json"))
def list_families(options: cli.Options) -> cli.Result:
    """List families, with state, size, licence and gated repositories."""
    rows = [_row(family) for family in weight_sets().values()]
    if options.json:
        return {"families": rows}
    columns = "name", "state", "size", "model"
    print_table(columns, [[r["name"], _state(r), file_size(r["bytes"]), r["title"]] for r in rows])
    terms: dict[str, list[str]] = {}
    for row in rows:
        terms.setdefault(_terms(row), []).append(row["name"])
    print()
    print_table(("names", "licence"), [(names, licence) for licence, names in terms.items()])
    return {}


def _state(row: cli.Result) -> str:
    if row["without_encoder"]:
        return "without encoder"
    return f"installed ({', '.join(row['where'])})" if row["installed"] else "missing"


def _terms(row: cli.Result) -> str:
    gate = f"; gated: {', '.join(row['gated'])}" if row["gated"] else ""
    return f"{row['licence']}{gate}"


def _row(family: WeightSet) -> cli.Result:
    left = missing(family)
    return {
        "name": family.name,
        "title": family.title,
        "installed": not left,
        "without_encoder": lacks_only_encoder(family),
        "where": locations(family),
        "missing": [f"{part.hub_id}/{name}" for part in left for name in part.files],
        "bytes": family.bytes,
        "licence": family.licence,
        "gated": sorted({part.hub_id for part in family.parts if part.gated}),
    }


@cli.command(
    "models get",
    FAMILY,
    cli.flag("--yes", "accept size and licence"),
    cli.flag("--without-encoder", "leave out the encoder: styles then come from files of features"),
    cli.examples("models get pixcell-256", "models get pixcell-1024 --yes --log-file download.log"),
)
def get(options: cli.Options) -> cli.Result:
    """Download a family, after showing its size and licence."""
    family = get_weight_set(options.family)
    if options.without_encoder:
        kept = tuple(part for part in family.parts if part.kind != "encoder")
        family = replace(family, parts=kept)
    left = wanted_parts(family)
    if left:
        require_agreement(options, offer(family), "Get it?", "Add --yes to accept.")
    with ProgressLine() as line:
        download(left, _bytes(line))
    return {"family": family.name, "installed": not missing(family), "where": locations(family)}


@cli.command("models check", FAMILY, cli.examples("models check demo"))
def check(options: cli.Options) -> cli.Result:
    """Check that the files of a family are complete and unchanged."""
    family = get_weight_set(options.family)
    problems = family_problems(family)
    if problems:
        raise FindingsError("\n".join(problems))
    left = uncompared_files(family)
    if left:
        found = "all files are complete; those without a known hash were not compared"
        return {"family": family.name, "check": found, "not compared": left}
    return {"family": family.name, "check": "all files are complete and unchanged"}


@cli.command(
    "models remove",
    FAMILY,
    cli.flag("--shared", "also delete files that other families use"),
    cli.examples("models remove pixcell-256"),
)
def remove_family(options: cli.Options) -> cli.Result:
    """Delete a family's files, except those that others use."""
    family = get_weight_set(options.family)
    return {"family": family.name, "removed": remove(family, shared=options.shared)}


@cli.command(
    "models export",
    FAMILY,
    cli.out("DIR", "folder to copy to"),
    cli.examples("models export pixcell-256 --out stick"),
)
def export(options: cli.Options) -> cli.Result:
    """Copy a family to a folder, for a machine without internet."""
    family = get_weight_set(options.family)
    out = cli.out_of(options)
    with ProgressLine() as line:
        copied = export_family(family, out, _bytes(line))
    return {"family": family.name, "folder": str(out), "files": sorted(copied)}


@cli.command(
    "models import",
    cli.path("directory", "DIR", "folder to copy from"),
    cli.examples("models import stick"),
)
def import_families(options: cli.Options) -> cli.Result:
    """Import a folder that “models export” wrote."""
    with ProgressLine() as line:
        folder = import_folder(options.directory, _bytes(line))
    installed = [family.name for family in weight_sets().values() if not missing(family)]
    return {"folder of weights": str(folder), "installed": installed}


def _bytes(line: ProgressLine) -> Callable[[int, int, str], None]:
    """Return a function that shows how far a download or copy is."""
    return lambda done, total, message: line.show(message, done, total, "bytes")
