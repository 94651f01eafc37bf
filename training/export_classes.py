"""Bundle a ControlNet that follows classes of cells, as the family “demo-classes”.

    python make_classes.py PAIRS
    napari-pixcell train-control demo-classes --classes --base demo --pairs PAIRS --out FOLDER
    python export_classes.py FOLDER

It copies weights (fp16) and configuration to the package, with what the card says of the training,
and writes classes and figures to the demo's README. To train again once the family is bundled,
give the second command another name.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
from pathlib import Path
from typing import Any

from napari_pixcell.files import sha256_of, write_whole
from napari_pixcell.models.catalogue import CLASSES_FOLDER, DEMO, DEMO_FOLDER
from napari_pixcell.models.own_families import WEIGHTS

CARD = "trained.json"
TOLD = ("classes", "figures", "agreement", "steps", "batch", "seed", "versions", "made")
SECTION = Path(__file__).parent / "classes_section.md"
START, END, BEFORE = "<!-- classes -->", "<!-- /classes -->", "## Stamps"
COLUMNS = ("placed", "shuffled", "recognised", "mistaken", "repainted", "before")


def read_card(folder: Path) -> dict[str, Any]:
    """Return the card of a training that is complete, was made on the demo and has classes."""
    path, weights = folder / CARD, folder / "controlnet" / WEIGHTS
    if not path.is_file() or not weights.is_file():
        raise SystemExit(f"“{folder.name}” holds no trained ControlNet. Finish its training first.")
    card: dict[str, Any] = json.loads(path.read_text("utf-8"))
    if card.get("base") != DEMO.name or not card.get("classes"):
        raise SystemExit(
            f"“{folder.name}” is no ControlNet with classes on the base “{DEMO.name}”. Train one "
            "with --classes --base demo."
        )
    if card["weights"]["controlnet"] != sha256_of(weights):
        raise SystemExit(f"The weights in “{folder.name}” are not those of its card. Train again.")
    return card


def bundle(folder: Path, card: dict[str, Any], target: Path) -> int:
    """Copy the files to a folder of the package, and return their size in bytes."""
    target.mkdir(exist_ok=True)
    for name in (WEIGHTS, "config.json"):
        shutil.copyfile(folder / "controlnet" / name, target / name)
    told = {name: card[name] for name in TOLD}
    write_whole(target / "card.json", json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    for path in target.iterdir():
        path.chmod(0o644)  # everyone must be able to read a wheel
    return sum(path.stat().st_size for path in target.iterdir())


def section(card: dict[str, Any]) -> str:
    """Return the section of the README."""
    palette = {name or "without a class": colour for name, colour in card["classes"].items()}
    names = [name for name in card["classes"] if name]
    rows = []
    for row in card["agreement"]:
        shares = [row.get(name) for name in COLUMNS]
        words = ["" if one is None else f"{one:.0%}" for one in shares]
        rows.append(f"| {' | '.join([row['name'], str(row['cells']), *words])} |")
    text = SECTION.read_text("utf-8").format(
        classes=f"{', '.join(names[:-1])} and {names[-1]} nuclei" if names[1:] else names[0],
        palette="\n".join(f"- {name}: `{colour}`" for name, colour in palette.items()),
        steps=f"{card['steps']:,}",
        batch=card["batch"],
        figures="\n".join(rows),
    )
    return f"{START}\n{text}{END}\n\n"


def write_readme(path: Path, text: str) -> None:
    """Write the section between its marks, or before the stamps if there are no marks yet."""
    readme = path.read_text("utf-8")
    if START in readme:
        readme = re.sub(f"{START}.*{END}\n\n", lambda _: text, readme, flags=re.S)
    else:
        readme = readme.replace(BEFORE, text + BEFORE, 1)
    write_whole(path, readme)


def main() -> None:
    """Bundle the ControlNet in a folder of train-control."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--demo", type=Path, default=DEMO_FOLDER, help="the package's demo/")
    args = parser.parse_args()
    card = read_card(args.folder)
    size = bundle(args.folder, card, args.demo / CLASSES_FOLDER)
    write_readme(args.demo / "README.md", section(card))
    for row in card["agreement"]:
        print(f"{row['name']}: {'follows' if row['follows'] else 'DOES NOT FOLLOW its mask'}")
    print(f"{size / 1e6:.1f} MB in {CLASSES_FOLDER}/")


if __name__ == "__main__":
    main()
