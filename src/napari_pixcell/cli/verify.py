"""``napari-pixcell models verify``: an installed family against published figures."""

from __future__ import annotations

from pathlib import Path

from napari_pixcell.cli import options as cli
from napari_pixcell.cli.agreement import require_agreement
from napari_pixcell.cli.running import check_folder_of, engine, outcome
from napari_pixcell.engine.events import Verified
from napari_pixcell.models.families import get_family
from napari_pixcell.models.store import require
from napari_pixcell.verification.report import VerificationReport, write_report
from napari_pixcell.verification.request import PATCHES, PICTURES, SEED, VerifyRequest
from napari_pixcell.verification.samples import offer

FOLDER = "copy of PixCell-sample-data, with “patches” and “features”; default: downloaded"


@cli.command(
    "models verify",
    cli.argument("family", metavar="FAMILY", help="name of a family, as in “models list”"),
    cli.path("--folder", "DIR", FOLDER),
    cli.path("--out", "FILE.json", "report to write"),
    cli.flag("--yes", "accept the download of the sample data (35 MB of features)"),
    cli.number("--patches", PATCHES, "patches that are encoded and embedded"),
    cli.number("--pictures", PICTURES, "pictures that are generated for each check"),
    cli.steps("the family's"),
    cli.number("--seed", SEED, "seed of the first picture"),
    cli.DEVICE,
    cli.examples("models verify demo", "models verify demo --out report.json"),
)
def verify(options: cli.Options) -> cli.Result:
    """Compare a family on this machine with its published figures."""
    family = get_family(options.family)
    for part in family.parts:  # before anything is asked or downloaded
        require(family, part)
    check_folder_of(options.out)
    text = "" if options.folder else offer(family)
    if text:
        otherwise = "Add --yes to accept, or name a copy with --folder."
        require_agreement(options, text, "Download it?", otherwise)
    request = VerifyRequest(
        family=family.name,
        folder=str(options.folder or ""),
        download=True,
        patches=options.patches,
        pictures=options.pictures,
        steps=options.steps,
        seed=options.seed,
    )
    from napari_pixcell.verification.job import verify as verify_family

    verified = outcome(lambda emit: verify_family(request, engine(), emit), Verified)
    report = VerificationReport.from_dict(verified.report)
    if options.out is not None:
        write_report(Path(options.out), report.to_dict())
    if options.json:
        return cli.checked(not report.failed, report.to_dict())
    print(report.table())
    return cli.checked(not report.failed, {})
