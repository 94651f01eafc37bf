"""Write the patch that ``models verify`` checks the demo families with, and its figures.

    python training/make_verification.py --data ../shared/data

The patch is cut from CMU-1-Small-Region (CC0). Latents and embeddings are those of the bundled
autoencoder and encoder, in the layout of PixCell-sample-data. The figures are measured by the same
checks that later compare with them, and are written with the command and the seed.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Verified
from napari_pixcell.engine.tile_embedding import cut_tiles, embed_tiles
from napari_pixcell.slides import Region, open_slide
from napari_pixcell.verification.bench import TILE
from napari_pixcell.verification.figures import FILE, Figures
from napari_pixcell.verification.job import verify
from napari_pixcell.verification.report import VerificationReport
from napari_pixcell.verification.request import SEED, VerifyRequest
from napari_pixcell.verification.samples import BUNDLED, EMBEDDINGS, IMAGE, LATENTS, SIDE

SLIDE = Path("wsi_cmu1_small_region") / "CMU-1-Small-Region.svs"
PLACE = Path("demo") / "skin" / "single_1024" / "CMU-1-Small-Region"
CORNER = 1024, 768  # row and column in px; of those on a grid of 256 px, it has the most nuclei
QUALITY = 90  # of the JPEG
SECONDS = 1.9  # of a tile with a layout, on two quiet cores; this script may share its machine
COMMAND = "python training/make_verification.py"
# Checks whose value is a figure, for the H&E family and for the stain.
PLAIN = {"psnr": "psnr", "style 256": "cosine", "placed": "placed", "follows": "follows"}
STAIN = {"moved": "moved", "positive": "positive", "kept": "kept"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    engine = Engine(torch.device("cpu"))
    with open_slide(options.data / SLIDE) as slide:
        top, left = CORNER
        side = SIDE * 0.5 / slide.require_mpp()
        tissue = slide.read(Region(left, top, side, side), 0.5)[:SIDE, :SIDE]
    for kind in ("patches", "features"):
        (BUNDLED / kind / PLACE).mkdir(parents=True, exist_ok=True)
    stem = f"{top}_{left}"
    path = BUNDLED / "patches" / PLACE / (stem + IMAGE)
    Image.fromarray(tissue).save(path, quality=QUALITY)
    pixels = np.asarray(Image.open(path))
    models = engine.load("demo")
    with torch.inference_mode():
        image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
        latents = models.vae.encode(image).latent_dist
        both = torch.cat([latents.mean, latents.std * 0], dim=1)[0].numpy()  # it is deterministic
        embeddings = embed_tiles(models.encoder, models.device, cut_tiles(pixels, TILE))
    features = BUNDLED / "features" / PLACE
    np.save(features / (stem + LATENTS), both.astype(np.float16))
    np.save(features / (stem + EMBEDDINGS), embeddings.astype(np.float16))
    measured = {"scaling_factor": 1.0, "shift_factor": 0.0, "own": True}
    (BUNDLED / FILE).write_text(json.dumps(measured))
    values: dict[str, object] = dict(measured, command=f"{COMMAND} (seed {SEED})")
    values["seconds"] = SECONDS
    for name, wanted in (("demo", PLAIN), ("demo-ki67", STAIN)):
        report = run(engine, name)
        print(report.table(), flush=True)
        rows = {row.key: row for row in report.rows}
        values |= {figure: round(rows[key].values["value"], 3) for key, figure in wanted.items()}
        if name == "demo":
            style = rows["style 256"].values
            values["closer"] = round(style["value"] - style["others"], 3)
    values["looks"] = ["IHC"]
    order = [field.name for field in fields(Figures)]
    (BUNDLED / FILE).write_text(
        json.dumps({name: values[name] for name in order if name in values}, indent=1) + "\n"
    )
    print((BUNDLED / FILE).read_text())


def run(engine: Engine, name: str) -> VerificationReport:
    """Verify a family on the patch."""
    found: list[VerificationReport] = []

    def receive(event: object) -> None:
        if isinstance(event, Verified):
            found.append(VerificationReport.from_dict(event.report))

    verify(VerifyRequest(name), engine, receive)
    return found[-1]


if __name__ == "__main__":
    main()
