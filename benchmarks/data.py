"""Fetch the public data of some figures, after asking.

    python benchmarks/data.py                # what can be fetched, for which figures, and its size
    python benchmarks/data.py ki67 cmu1 [--folder FOLDER] [--yes]

Files come from their public addresses, with pooch, and are kept only if their hash is the one that
the figures were measured with. They lie in FOLDER/data as benchmarks and tests look for them:
by default the folder in PIXCELL_SHARED, else ../shared.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from napari_pixcell.errors import PixCellError
from napari_pixcell.files import sha256_of
from napari_pixcell.slides.samples import CMU1_SHA256, CMU1_URL
from napari_pixcell.words import file_size

SHARED = Path(os.environ.get("PIXCELL_SHARED") or Path(__file__).parents[2] / "shared")
NO_POOCH = 'pooch is not installed. Install it: pip install "napari-pixcell[bench]"'
QUPATH = (
    "https://raw.githubusercontent.com/petebankhead/2022-qupath-cell-detection/"
    "4632a17d80e1ae013b9b48af27aae8fb02c03182/"
)
COUNTS = "Ki67 cell detection/output/"


@dataclass(frozen=True)
class PublicFile:
    """A file at a public address.

    ``sha256`` is None where the published file could not be compared with ours. It is then kept as
    it comes.
    """

    name: str
    url: str
    sha256: str | None


@dataclass(frozen=True)
class PublicData:
    """Files of one origin, in a folder of their own."""

    folder: str
    files: tuple[PublicFile, ...]
    size: int  # bytes
    licence: str
    figures: str  # what they are needed for

    def missing(self, top: Path) -> list[PublicFile]:
        """Return the files that are not in the folder, or have another hash."""
        return [file for file in self.files if not _is_there(top / self.folder / file.name, file)]


DATA = {
    "cmu1": PublicData(
        "wsi_cmu1_small_region",
        (PublicFile("CMU-1-Small-Region.svs", CMU1_URL, CMU1_SHA256),),
        1_938_955,
        "CC0 1.0, Carnegie Mellon University, OpenSlide's test data",
        "colours of variants, the picture book, tests with a real slide",
    ),
    "ki67": PublicData(
        "openslide_os1_os2_crops",
        (
            PublicFile(
                "OS-2-ndpi.ome.tif",
                f"{QUPATH}images/OS-2-ndpi.ome.tif",
                "f6c9b7728ffa84e7474771c9d36520aaadb1802564176f83c38272aafeada0ef",
            ),
            PublicFile(
                "OS-2-vsi.ome.tif",
                f"{QUPATH}images/OS-2-vsi.ome.tif",
                "5d941282361d7f490d9415d6c4260272d236f1e996fca3b8b40890600488df2f",
            ),
            PublicFile(
                "OS-2-ndpi-results.tsv",
                QUPATH + quote(f"{COUNTS}OS-2-ndpi-results.tsv"),
                "a442d2ac070d1eec278c541337032bc28e1ce9709b01ebb621519645b862da6a",
            ),
            PublicFile(
                "OS-2-vsi-results.tsv",
                QUPATH + quote(f"{COUNTS}OS-2-vsi-results.tsv"),
                "2274f04bd44add2d2f6ee1983de2326bd6362ae608d4cc0190d10fbd2aa57bd1",
            ),
        ),
        890_311,
        "free to use and distribute, OpenSlide's test data; counts CC BY 4.0, P. Bankhead",
        "Ki67 on two scanners",
    ),
}


def fetch(names: Sequence[str], top: Path, agreed: bool) -> list[Path]:
    """Download the missing files of some data, and return the folders.

    Raises
    ------
    PixCellError
        If a name is unknown, the user does not agree, or a file cannot be fetched.
    """
    unknown = [name for name in names if name not in DATA]
    if unknown:
        raise PixCellError(f"There are no data “{unknown[0]}”. Choose some of: {', '.join(DATA)}.")
    wanted = [DATA[name] for name in names if DATA[name].missing(top)]
    if wanted and not (agreed or _agrees(wanted, top)):
        raise PixCellError("Nothing was downloaded. Answer y, or add --yes.")
    for data in wanted:
        for file in data.missing(top):
            _download(file, top / data.folder)
    return [top / DATA[name].folder for name in names]


def _is_there(path: Path, file: PublicFile) -> bool:
    return path.is_file() and (file.sha256 is None or sha256_of(path) == file.sha256)


def _agrees(wanted: Sequence[PublicData], top: Path) -> bool:
    for data in wanted:
        print(f"{data.folder}: {file_size(data.size)}. Licence: {data.licence}.")
    try:
        return input(f"Download into {top}? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:  # nobody is there to answer
        return False


def _download(file: PublicFile, folder: Path) -> None:
    try:
        import pooch
    except ImportError as error:
        raise PixCellError(NO_POOCH) from error
    pooch.get_logger().setLevel("WARNING")
    known = f"sha256:{file.sha256}" if file.sha256 else None
    try:
        pooch.retrieve(file.url, known, fname=file.name, path=folder)
    except ValueError as error:  # its hash
        raise PixCellError(
            f"{file.name} at its address is not the file that the figures were measured with. "
            "It was not kept."
        ) from error
    except Exception as error:  # whatever the network and the disk raise
        raise PixCellError(
            f"{file.name} could not be downloaded ({type(error).__name__}). Check the connection "
            "and the folder, and run the command again."
        ) from error


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--folder", type=Path, default=SHARED, help=f"default: {SHARED}")
    parser.add_argument("--yes", action="store_true", help="download without asking")
    options = parser.parse_args(arguments)
    top = options.folder / "data"
    if not options.names:
        for name, data in DATA.items():
            state = "to be fetched" if data.missing(top) else "there"
            print(f"{name}: {data.figures}; {file_size(data.size)}; {state}. {data.licence}")
        return 0
    try:
        for folder in fetch(options.names, top, options.yes):
            print(folder)
    except PixCellError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
