"""Small valid inputs of every reader, which are damaged then."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

TESTS = Path(__file__).parents[1]
EARLIER = TESTS / "earlier"
SAMPLES = TESTS.parent / "sample_data"
CANVAS = (512, 512), 256, 1  # size, tile and grid of the canvas


def make_slides(folder: Path) -> None:
    import tifffile
    from pictures import tissue
    from PIL import Image
    from svs import write_svs

    rgb = tissue(480)
    metres = {"resolution": (2e4, 2e4), "resolutionunit": "CENTIMETER"}
    write_svs(folder / "jpeg.svs", rgb, 7)
    write_svs(folder / "jpeg2000.svs", rgb, 33005)
    tifffile.imwrite(folder / "plain.tif", rgb[:300, :200], photometric="rgb", **metres)
    tifffile.imwrite(
        folder / "tiled.tif", rgb, photometric="rgb", tile=(128, 128), compression="deflate",
        predictor=True, **metres,
    )  # fmt: skip
    with tifffile.TiffWriter(folder / "levels.ome.tif", ome=True) as writer:
        about = {"axes": "YXS", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
        writer.write(
            rgb, photometric="rgb", tile=(128, 128), subifds=1, metadata=about, compression="jpeg"
        )
        writer.write(rgb[::2, ::2], photometric="rgb", tile=(128, 128), compression="jpeg")
    picture = Image.fromarray(rgb[:200, :200])
    picture.save(folder / "picture.png", dpi=(50_800, 50_800))
    picture.save(folder / "picture.jpg", dpi=(50_800, 50_800))
    picture.quantize(16).save(folder / "palette.png")
    picture.save(folder / "strips.tif", compression="tiff_lzw", dpi=(50_800, 50_800))
    picture.save(folder / "picture.jp2")


def make_zarr_slides(folder: Path) -> None:
    from numcodecs import Blosc
    from ome_zarr_slides import write_ome_zarr
    from pictures import tissue

    rgb = tissue(300)
    write_ome_zarr(folder / "old.zarr", rgb, 2, levels=2, compressors=Blosc())
    write_ome_zarr(folder / "new.zarr", rgb, 3, levels=2, axes="tczyx")
    chunks = {"chunks": (3, 64, 64), "shards": (3, 128, 128)}
    write_ome_zarr(folder / "sharded.zarr", rgb, 3, levels=2, **chunks)


def make_layouts(folder: Path) -> None:
    import tifffile
    from drawn_dataset import labels_of
    from PIL import Image
    from roifile import ImagejRoi, roiwrite

    labels = labels_of(1)
    tifffile.imwrite(folder / "labels.tif", labels.astype(np.uint16), compression="deflate")
    Image.fromarray(((labels > 0) * 255).astype(np.uint8)).save(folder / "mask.png")
    np.save(folder / "labels.npy", labels)
    np.savez_compressed(folder / "labels.npz", labels=labels)
    rings = [
        [[x, y], [x + 8, y], [x + 8, y + 6], [x, y + 9], [x, y]] for x, y in ((3, 4), (20, 22))
    ]
    kinds = ({"classification": {"name": "Tumor", "colorRGB": -65536}}, {"isLocked": False})
    features = [
        {
            "type": "Feature",
            "id": f"cell-{number}",
            "geometry": {"type": "Polygon", "coordinates": [ring]},
            "properties": {"objectType": "detection", **kinds[number]},
        }
        for number, ring in enumerate(rings)
    ]
    write(folder / "cells.geojson", {"type": "FeatureCollection", "features": features})
    many = {"type": "MultiPolygon", "coordinates": [[ring] for ring in rings]}
    write(folder / "many.json", [{**features[0], "geometry": many}])
    flat = [np.ravel(ring).tolist() for ring in rings]
    runs = {"size": [48, 48], "counts": [100, 5, 43, 5, 43, 5, 2103]}
    coco = {
        "images": [{"id": 1, "file_name": "a.png", "width": 48, "height": 48}],
        "categories": [{"id": 1, "name": "nucleus"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [flat[0]], "iscrowd": 0},
            {"id": 2, "image_id": 1, "category_id": 1, "segmentation": [flat[1]]},
            {"id": 3, "image_id": 1, "category_id": 1, "segmentation": runs, "iscrowd": 1},
            {"id": 4, "image_id": 1, "category_id": 1,
             "segmentation": {"size": [48, 48], "counts": "Ma05[1"}},
        ],
    }  # fmt: skip
    write(folder / "coco.json", coco)
    contour = [[3, 4], [11, 4], [11, 10], [3, 13]]
    nucleus = {"bbox": [[4, 3], [13, 11]], "centroid": [7, 8], "contour": contour, "type": 1}
    write(folder / "hovernet.json", {"mag": 40, "nuc": {"1": nucleus, "2": nucleus}})
    cell = {"bbox": [[4, 3], [13, 11]], "contour": contour, "type": 2, "type_prob": 0.9}
    about = {"wsi_metadata": {"slide_mpp": 0.25}, "type_map": {"2": "Inflammatory"}}
    write(folder / "cellvit.json", {**about, "cells": [cell, cell]})
    roi = ImagejRoi.frompoints(np.array(contour, np.float32))
    roi.tofile(folder / "one.roi")
    roiwrite(folder / "rois.zip", [roi, roi], mode="w")
    for source in sorted(SAMPLES.rglob("*")):
        if source.is_file() and source.stat().st_size < 100_000 and not source.name.endswith(".md"):
            shutil.copy(source, folder / f"sample-{source.name}")
    (folder / "table.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(600))
    other_formats(folder, rings)


def other_formats(folder: Path, rings: list[Any]) -> None:
    """Write cells as other tools do, in formats that are text or have a writer here."""
    vertices = "".join(f'<Vertex X="{x}" Y="{y}" Z="0"/>' for x, y in rings[0])
    region = f'<Region Id="1" Type="0"><Vertices>{vertices}</Vertices></Region>'
    (folder / "aperio.xml").write_text(
        f'<Annotations MicronsPerPixel="0.25"><Annotation Id="1"><Regions>{region}</Regions>'
        "</Annotation></Annotations>"
    )
    points = "".join(
        f'<Coordinate Order="{i}" X="{x}" Y="{y}"/>' for i, (x, y) in enumerate(rings[0])
    )
    (folder / "asap.xml").write_text(
        '<ASAP_Annotations><Annotations><Annotation Name="a" Type="Polygon" PartOfGroup="Tumor">'
        f"<Coordinates>{points}</Coordinates></Annotation></Annotations></ASAP_Annotations>"
    )
    corners = ";".join(f"{x},{y}" for x, y in rings[0])
    (folder / "cvat.xml").write_text(
        '<annotations><version>1.1</version><image id="0" name="a.png" width="48" height="48">'
        f'<polygon label="n" points="{corners}"/>'
        '<mask label="n" rle="3, 5, 2" left="4" top="5" width="5" height="2"/>'
        "</image></annotations>"
    )
    shape = {"label": "nucleus", "points": rings[0], "shape_type": "polygon", "flags": {}}
    size = {"imageHeight": 48, "imageWidth": 48, "imageData": None}
    write(folder / "labelme.json", {"version": "5.0.1", "shapes": [shape, shape], **size})
    corners = [f"1,{x},{y}" for x, y in rings[0]]
    (folder / "cell_boundaries.csv").write_text("\n".join(["cell_id,vertex_x,vertex_y", *corners]))
    from scipy.io import savemat

    labels = np.zeros((48, 48), np.int32)
    labels[3:9, 4:9] = 1
    savemat(folder / "hovernet.mat", {"inst_map": labels, "inst_type": np.ones((1, 1))})


def make_records(folder: Path) -> None:
    shutil.copy(EARLIER / "variant-record.json", folder / "variant.json")
    shutil.copy(EARLIER / "stained-record.json", folder / "stained.json")
    for name in ("variant", "canvas"):
        for image in (EARLIER / name / "images").iterdir():
            shutil.copy(image, folder / f"{name}.png")
    from napari_pixcell.datasets.marks import synthetic_png

    image, record = repaired_image()
    write(folder / "repaired.json", record.to_dict())
    (folder / "repaired.png").write_bytes(synthetic_png(image, record, 0.5))


def repaired_image(seed: int = 7, embedding: Any = None, labels: Any = None) -> tuple[Any, Any]:
    """Return an image whose nuclei were repaired and whose colours were matched, and its record."""
    from drawn_dataset import labels_of, picture_of

    from napari_pixcell.engine.colour_match import ColourMatch
    from napari_pixcell.engine.packed import PackedArray
    from napari_pixcell.engine.record import Record, pixels_sha256
    from napari_pixcell.engine.repair import NucleusCounts, Repair, RepairOutcome
    from napari_pixcell.engine.request_values import GenerateRequest

    labels = labels_of(1) if labels is None else labels
    image = picture_of(labels.astype(np.int32), seed)
    request = GenerateRequest(
        "demo",
        PackedArray.pack(np.zeros((1, 8), np.float32) if embedding is None else embedding),
        PackedArray.pack(labels),
        labels.shape,
        seed,
        count=1,
        colour_match=ColourMatch("full", tissue_colours()),
        repair=Repair(2),
    )
    before, after = NucleusCounts(1, 2, 1, 3), NucleusCounts(2, 1, 1, 2)
    outcome = RepairOutcome(before, after, (1,), (2,), 2, 1.5, True)
    return image, Record(request, sha256=pixels_sha256(image), batch=(2, 1), repair=outcome)


def tissue_colours() -> Any:
    from napari_pixcell.engine.tissue_colours import TissueColours

    classes = (45.0, 18.0, -20.0), (70.0, 15.0, -6.0)
    return TissueColours((60.0, 20.0, -8.0), (15.0, 6.0, 4.0), 0.75, classes)


def make_recipes(folder: Path) -> None:
    from napari_pixcell.slides.samples import SAMPLE_SLIDE

    earlier = json.loads((EARLIER / "recipe.json").read_text("utf-8"))
    kept, (blend, region), layouts = {}, earlier["styles"], earlier["layouts"]
    kept = {key: value for key, value in earlier.items() if key not in ("styles", "layouts")}
    slide = str(SAMPLE_SLIDE)
    region["slide"] = blend["styles"][0]["slide"] = slide
    blend["styles"][1] = {**region, "name": "Second"}
    layouts[0] = {"from": "file", "path": str(EARLIER / "cells.tif"), "name": "Drawn"}
    vary = {"from": "vary", "layout": layouts[0], "count": 2, "seed": 3, "jitter_um": 2.0}
    nothing_ = {"from": "nothing", "name": "None"}
    write(folder / "blend.json", {**kept, "styles": [blend, region], "layouts": layouts})
    write(
        folder / "vary.json", {**kept, "styles": [region, nothing_], "layouts": [vary], "pairs": 3}
    )
    own = {**kept, "styles": [region], "layouts": [{"from": "style"}], "pairing": "matched"}
    write(folder / "own.json", own)
    repair = {"rounds": 2, "seconds": 30.0, "method": {"method": "builtin", "sensitivity": 0.4}}
    checks = {"least_placed": 0.9, "segmenter": {"method": "builtin"}}
    more = {"colour_match": "full", "repair": repair, "drop_wrong": True, "keep": "best of 3"}
    write(folder / "repaired.json", {**own, **more, "checks": checks})


def make_styles(folder: Path) -> None:
    for source in (EARLIER / "config" / "styles").iterdir():
        shutil.copy(source, folder / source.name)
    np.save(folder / "embedding.npy", np.zeros((4, 4, 128), np.float32))
    np.save(folder / "half.npy", np.zeros((1, 1, 128), np.float16))


def make_features(folder: Path) -> None:
    import h5py
    from feature_files import features_of, places, write_clam, write_trident

    values, coords = features_of(20, 8), places(4, 5)
    write_trident(folder / "trident.h5", values, coords)
    write_clam(folder / "clam.h5", values.astype(np.float16), coords)
    with h5py.File(folder / "cohort.h5", "w") as file:
        file["features"], file["coords"] = values[None], coords[None]
    with h5py.File(folder / "packed.h5", "w", libver="latest") as file:
        file.create_dataset("features", data=values, chunks=(4, 8), compression="gzip")
        file.create_dataset("coords", data=coords, chunks=(4, 2), fletcher32=True)


def make_clusters(folder: Path) -> None:
    documented = (Path(__file__).parents[2] / "docs" / "how-to" / "clusters.md").read_text("utf-8")
    for number, example in enumerate(documented.split("```toml\n")[1:]):
        (folder / f"{number}.toml").write_text(example.split("```")[0], "utf-8")


def make_runs(folder: Path) -> None:
    from napari_pixcell.datasets.runs.log import RunLog, log_of
    from napari_pixcell.engine.events import Failure, Finished, Notice, Progress

    for name, last in (("ended", Finished()), ("failed", Failure("The disk is full.", "…"))):
        log = RunLog(folder / name, ["dataset", "make"], ["--workers", "2"])
        log.add(Progress(12, 300, "12 of 300 pairs"))
        log.add(Notice("Pair 7 failed."))
        log.add_dashboard("http://127.0.0.1:8787/status")
        log.close(last)
        whole = log_of(folder / name).read_bytes()
        (folder / f"{name}.jsonl").write_bytes(whole)
        (folder / f"{name} later.jsonl").write_bytes(b"".join(whole.splitlines(True)[:-1]))


def make_families(folder: Path) -> None:
    for source in (EARLIER / "config" / "families").iterdir():
        shutil.copy(source, folder / "earlier.toml")
    (folder / "small.toml").write_text(
        'base = "pixcell-256"\ntitle = "Own"\nguidance = 2.0\nsteps = 12\n[lora]\n'
        'file = "/nowhere/lora.pth"\nlicence = "own"\n'
        '[controlnet]\nfolder = "/nowhere/controlnet"\n'
    )


def make_preferences(folder: Path) -> None:
    from napari_pixcell.models.manifest import FORMAT

    shutil.copy(EARLIER / "config" / "preferences.json", folder / "preferences.json")
    key = "0" * 64
    write(folder / "pixel_sizes.json", {key: 0.5, "1" * 64: 0.25})
    write(
        folder / "manifest.json", {"format": FORMAT, "files": {"a/b/c": {"size": 1, "sha256": key}}}
    )


def make_sessions(folder: Path) -> None:
    shutil.copytree(EARLIER / "session.pixcell", folder / "earlier.pixcell")
    repaired = shutil.copytree(EARLIER / "session.pixcell", folder / "repaired.pixcell")
    session = json.loads((repaired / "session.json").read_text("utf-8"))
    request = repaired_image()[1].request.to_dict()
    settings = {"colour_match": "full", "repair": True, "repair_rounds": 2, "repair_seconds": 30}
    session["settings"] |= settings
    mark = {"path": "/cases/7.h5", "content": "0" * 32, "shown": True, "relative": "../7.h5"}
    session |= {"class": "tumour", "features": mark}
    for job in session["jobs"]:
        for one in job["requests"]:
            one |= {name: request[name] for name in ("colour_match", "repair")}
    for result in session["results"]:
        result["file"] = repair_picture(repaired / "files" / result["file"])
    write(repaired / "session.json", session)


def repair_picture(path: Path) -> str:
    """Change the record in an image to that of a repaired one, and return its new name."""
    from dataclasses import replace

    from napari_pixcell.datasets.marks import read_marked, synthetic_png
    from napari_pixcell.engine.record import Record
    from napari_pixcell.studio.saving.folder import SessionFolder

    other, marked = repaired_image()[1], read_marked(path.read_bytes(), path.name)
    record = Record.from_dict(marked.record or {})
    request = replace(record.request, colour_match=other.request.colour_match)
    if request.layout is not None:
        request = replace(request, repair=other.request.repair)
        record = replace(record, repair=other.repair)
    data = synthetic_png(marked.pixels, replace(record, request=request), 0.5)
    path.unlink()
    return SessionFolder(path.parent.parent).put(data, ".png")


def make_datasets(folder: Path) -> None:
    from drawn_dataset import SIDE, judge, make_dataset

    make_dataset(folder / "png")
    judge(folder / "png", 1, 1, 2, np.tri(SIDE, dtype=np.uint8))
    make_dataset(folder / "tiff", styles=1, layouts=2, picture="tiff")
    shutil.copytree(EARLIER / "dataset", folder / "earlier")
    make_repaired_dataset(folder / "repaired")
    make_unjoined_dataset(folder / "unjoined")


def make_unjoined_dataset(folder: Path) -> None:
    """Write half of a dataset as a shard does: its pairs are in parts, one has failed."""
    from drawn_engine import drawn_recipe
    from parallel_engines import AT, BlockEngine

    from napari_pixcell.datasets.parallel.chunks import Shard
    from napari_pixcell.datasets.parallel.shard_making import make_shard
    from napari_pixcell.datasets.recipe.request import DatasetRequest

    engine = BlockEngine()
    engine.refuses = {AT}
    request = DatasetRequest(str(folder), drawn_recipe())
    make_shard(request, Shard(1, 2), engine, lambda event: None)


def make_repaired_dataset(folder: Path) -> None:
    """Write pairs that are the best of two, repaired and matched in colour, with all that is kept.

    Of each, one nucleus is partial, another one is missing, and both lack in its mask.
    """
    from dataclasses import replace

    from drawn_dataset import SIDE, make_dataset

    from napari_pixcell.datasets.store.lock import locked
    from napari_pixcell.datasets.store.nuclei import DifferingNuclei
    from napari_pixcell.datasets.store.pair_files import PairFiles
    from napari_pixcell.datasets.store.plan import Plan
    from napari_pixcell.datasets.store.rows import as_line
    from napari_pixcell.engine.repair import Repair
    from napari_pixcell.serialization import to_json

    dataset = make_dataset(folder, styles=1, layouts=2, pairs=0)
    path = folder / "styles.jsonl"
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    for row in rows:
        row |= {"colours": to_json(tissue_colours()), "look": {"brightness": 0.6}}
    path.write_bytes(b"".join(map(as_line, rows)))
    del dataset.plan  # of one candidate
    dataset.describe(
        plan=Plan(1, 2, candidates=2).to_dict(),
        settings=replace(dataset.description.settings, colour_match="full"),
        repair=Repair(2),
        drop_wrong=True,
        weights={"transformer": "ab" * 32},
    )
    extra = DifferingNuclei(np.array([1]), np.array([2]), np.tri(SIDE, dtype=np.uint8))
    with locked(folder):
        files, style = PairFiles(dataset), dataset.style(next(dataset.style_rows()))
        for pair, row in zip(dataset.plan, list(dataset.layout_rows()), strict=True):
            labels = dataset.layout(row).labels
            image, record = repaired_image(pair.seed + 1, style.embedding[0], labels)
            scores = {"placed": 0.5, "partial": 0.25, "missing": 0.25, "extra": 0.25, "dice": 0.6}
            files.write(
                pair,
                image,
                record.mask,
                record,
                scores,
                (),
                nuclei=extra.to_row(),
                kept=1,
                embedding=np.ones((1, 8), np.float32),
            )


def make_tiles(folder: Path) -> None:
    from labelled import write_tiles

    write_tiles(folder / "tiles", ["a_1", "b_1"])
    (folder / "tiles" / "index.csv").write_text("file,slide\na_1.png,A\nb_1.png,B\n")
    write_tiles(folder / "subfolders", ["a/1", "b/1"])


def make_samples(folder: Path) -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(60, 250, (16, 16, 3), np.uint8))
    coarse.resize((1024, 1024)).save(folder / "1_2.jpeg")
    np.save(folder / "1_2_uni.npy", rng.standard_normal((16, 64)).astype(np.float16))
    np.save(folder / "1_2_sd3_vae.npy", np.ones((2, 128, 128), np.float16))
    text = '{"own": true, "psnr": 29.2, "looks": ["IHC"], "command": "measured"}'
    (folder / "figures.json").write_text(text)


def make_canvases(folder: Path) -> None:
    from napari_pixcell.engine.canvas.plan import Canvas
    from napari_pixcell.engine.canvas.store import CanvasStore

    store = CanvasStore("canvas", Canvas(*CANVAS), 4, folder)
    store.latents[:] = 0.5
    store.begin()
    rows = {
        "latents": np.ones_like(store.latents[:, :4]),
        "clean": np.ones_like(store.clean[:, :4]),
    }
    store.done(0, 1, rows, {"latents": np.zeros((4, 4, store.latents.shape[2]), np.float32)}, 0)
    store.put(0, np.full((64, 512, 3), 7, np.uint8))
    store.close(remove=False)
    for lock in folder.glob("*.lock"):
        lock.unlink()


def make_pictures(folder: Path) -> None:
    from napari_pixcell.slides.stored_picture import create, finish

    pixels = np.arange(300 * 280 * 3, dtype=np.uint32).reshape(300, 280, 3) % 251
    create(folder / "unfinished", (300, 280))[:] = pixels.astype(np.uint8)
    shutil.move(finish(folder / "unfinished").folder, folder / "picture.zarr")


def make_weights(folder: Path) -> None:
    import torch
    from own_stain import write_own_stain
    from random_checkpoints import SCHEDULER
    from safetensors.torch import load_file

    from napari_pixcell.models.families import get_family
    from napari_pixcell.models.store import find

    weights = folder.parent / "weights made"
    weights.mkdir(exist_ok=True)
    write_own_stain(weights, "own", "Own")
    for source in weights.glob("*.safetensors"):
        shutil.copy(source, folder / source.name)
        torch.save(load_file(source), folder / f"{source.stem}.pth")
    write(folder / "scheduler.json", SCHEDULER)
    for part in get_family("demo").parts:
        installed = find(part)
        if installed is not None and installed.config is not None:
            shutil.copy(installed.config, folder / f"{part.network}.json")


def make_answers(folder: Path) -> None:
    header = {"w": {"dtype": "U8", "shape": [2000], "data_offsets": [0, 2000]}}
    text = json.dumps(header).encode()
    data = len(text).to_bytes(8, "little") + text + bytes(range(250)) * 8
    (folder / "weights.safetensors").write_bytes(data)
    write(folder / "config.json", {"sample_size": 32, "num_layers": 2})
    head = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: "abc"\r\nX-Repo-Commit: ' + "a" * 40
    (folder / "answer.http").write_bytes(head.encode() + b"\r\n\r\n0123456789")


def write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value), "utf-8")
