"""``napari-pixcell models verify``: an installed family against published figures."""

from __future__ import annotations

import sys
from pathlib import Path

from napari_pixcell.cli import options as cli
from napari_pixcell.cli.running import ProgressLine, check_folder_of, engine
from napari_pixcell.engine.events import Event, Progress, Verified
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.families import get_family
from napari_pixcell.models.store import require
from napari_pixcell.verification.report import VerificationReport, write_report
from napari_pixcell.verification.request import PATCHES, PICTURES, SEED, VerifyRequest
from napari_pixcell.verification.samples import offer

INTERVAL = 10.0  # seconds between lines where there is no terminal
FOLDER = "copy of PixCell-sample-data, with “patches” and “features”; default: downloaded"


@cli.command(
    "models verify",
    cli.argument("family", metavar="FAMILY", help="see “models list”"),
    cli.path("--folder", "DIR", FOLDER),
    cli.path("--out", "FILE.json", "report to write"),
    cli.flag("--yes", "accept the download of the sample data (35 MB of features)"),
    cli.number("--patches", PATCHES, "patches that are encoded and embedded"),
    cli.number("--pictures", PICTURES, "pictures that are generated for each check"),
    cli.argument("--steps", type=int, help="denoising steps; default: the family's"),
    cli.number("--seed", SEED, "seed of the first picture"),
)
def verify(options: cli.Options) -> cli.Result:
    """Compare a family on this machine with its published figures."""
    family = get_family(options.family)
    for part in family.parts:  # before anything is asked or downloaded
        require(family, part)
    check_folder_of(options.out)
    text = "" if options.folder else offer(family)
    if text and not options.yes:
        _ask(text, options.json)
    request = VerifyRequest(
        family=family.name,
        folder=str(options.folder or ""),
        download=True,
        patches=options.patches,
        pictures=options.pictures,
        steps=options.steps,
        seed=options.seed,
    )
    report = _run(request, options.json)
    if options.out is not None:
        write_report(Path(options.out), report.to_dict())
    failed = {cli.EXIT_CODE: int(report.failed)}
    if options.json:
        return report.to_dict() | failed
    print(report.table())
    return failed


def _run(request: VerifyRequest, quiet: bool) -> VerificationReport:
    from napari_pixcell.verification.job import verify

    found: list[VerificationReport] = []

    def on_event(event: Event) -> None:
        match event:
            case Verified(report):
                found.append(VerificationReport.from_dict(report))
            case Progress(done, total, message):
                line.show(f"{message}: {done}/{total}" if total else message)

    with ProgressLine(quiet=quiet, interval=INTERVAL) as line:
        verify(request, engine(), on_event)
    return found[-1]


def _ask(text: str, quiet: bool) -> None:
    if quiet or sys.stdin is None or not sys.stdin.isatty():
        raise PixCellError(f"{text} Add --yes to accept, or name a copy with --folder.")
    print(text)
    try:
        answer = input("Download it? [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise PixCellError("Nothing was downloaded.")
