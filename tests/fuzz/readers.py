"""Every reader of the product: how valid inputs are made, and how one is read to its end.

To add a reader, add a function to ``bases.py`` that writes small valid files or folders, one here
that reads a path as the product does, and a line in :data:`READERS`.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import bases
import numpy as np
from bases import CANVAS, EARLIER

MOST_SHOWN = 300  # px read of a slide at each place


@dataclass(frozen=True)
class Reader:
    """``make`` writes valid inputs to a folder; ``read`` reads one, whole."""

    make: Callable[[Path], None]
    read: Callable[[Path], object]


# -- slides ----------------------------------------------------------------------------------


def read_slide(path: Path) -> None:
    from napari_pixcell.slides import Region, open_slide

    with open_slide(path) as slide:
        slide.content()
        if slide.mpp is None:
            slide = slide.with_mpp(0.5)
        height, width = slide.shape
        side = min(MOST_SHOWN, height, width)
        for y, x in ((0, 0), ((height - side) // 2, (width - side) // 2)):
            slide.read(Region(x, y, side, side), slide.require_mpp())
        for level in slide.levels:
            np.asarray(level[:MOST_SHOWN, :MOST_SHOWN])
        slide.read(Region(0, 0, width, height), slide.require_mpp() * max(height, width) / 256)
        slide.corrupt_note()


# -- layouts ---------------------------------------------------------------------------------


def read_layout(path: Path) -> None:
    from napari_pixcell.cells import cells_for, read_cells
    from napari_pixcell.slides import Region

    cells = read_cells(path)
    region = Region(0, 0, 48, 48)
    if path.name.startswith("sample-"):
        region = Region(800, 640, 160, 128)
    cells_for(cells, region, (round(region.height), round(region.width)), (1600, 1600), 0.5)


# -- records, recipes, styles, families, preferences -----------------------------------------


def read_record(path: Path) -> None:
    from napari_pixcell.datasets import read_record

    record = read_record(path)
    record.to_dict()
    record.request.variants()
    record.without_wrong().mask  # noqa: B018
    if record.repair is not None:
        record.repair.plus(record.repair).sentence()


def read_recipe(path: Path) -> None:
    from napari_pixcell.datasets.recipe.preparing import count_pairs
    from napari_pixcell.datasets.recipe.recipe import DatasetRecipe

    recipe = DatasetRecipe.load(path)
    recipe.to_dict()
    count_pairs(recipe)


def read_style(path: Path) -> None:
    from napari_pixcell.engine.styles.library import StyleLibrary
    from napari_pixcell.engine.styles.style import read_style_file
    from napari_pixcell.folders import config_folder

    folder = config_folder() / "styles"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if path.suffix == ".style":
        shutil.copy(path, folder / path.name)
        StyleLibrary().read()  # a bad one never blocks the others
        read_style_file(path)
    else:
        from napari_pixcell.cli.styles import _load

        _load(path)


def read_features(path: Path) -> None:
    from dataclasses import replace

    from napari_pixcell.engine.styles.features.file import FeatureFile
    from napari_pixcell.engine.styles.features.neighbours import PatchNeighbours
    from napari_pixcell.engine.styles.features.search import FeatureSearch
    from napari_pixcell.models.catalogue import PIXCELL_1024

    with FeatureFile(path) as features:
        near, family = PatchNeighbours(features), replace(PIXCELL_1024, grid=2)
        wanted = near.style(len(features) // 2, family).values
        near.row_at(*(features.coords[0] + features.side / 2))
        near.complete(2)
        heat = FeatureSearch(features).heat(wanted)
        heat.best()
        heat.map()


def read_cluster(path: Path) -> None:
    from napari_pixcell.cluster.settings import ClusterSettings

    ClusterSettings.load(path)


def read_run(path: Path) -> None:
    from napari_pixcell.datasets.runs.state import read_log
    from napari_pixcell.errors import PixCellError

    state = read_log(path)
    if state is None:  # it is as if there were none
        raise PixCellError("The log of the run is not valid.")
    state.sentence()


def read_families(path: Path) -> None:
    from napari_pixcell.folders import config_folder
    from napari_pixcell.models.catalogue import BUILT_IN
    from napari_pixcell.models.families import families
    from napari_pixcell.models.own_families import read_own_family

    folder = config_folder() / "families"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(path, folder / "mine.toml")
    assert set(BUILT_IN) <= set(families())  # a bad one never blocks the others
    read_own_family(folder / "mine.toml", BUILT_IN)


def read_preferences(path: Path) -> None:
    from napari_pixcell import preferences
    from napari_pixcell.folders import config_folder
    from napari_pixcell.models.manifest import read_manifest
    from napari_pixcell.slides.pixel_size import remembered_mpp
    from napari_pixcell.slides.samples import SAMPLE_SLIDE

    folder = config_folder()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(path, folder / path.name)
    for name in json.loads((EARLIER / "config" / "preferences.json").read_text("utf-8")):
        preferences.preference(name)
    preferences.idle_minutes()
    preferences.compile_wanted()
    preferences.sessions_wanted()
    preferences.megabytes(preferences.SLIDES_CACHE)
    remembered_mpp(SAMPLE_SLIDE)
    if path.name == "manifest.json":
        read_manifest(path.parent)


# -- sessions --------------------------------------------------------------------------------


def read_session(path: Path) -> None:
    from scripted import ScriptedClient

    from napari_pixcell.errors import PixCellError
    from napari_pixcell.slides.samples import SAMPLE_SLIDE
    from napari_pixcell.studio.session import Session

    slide = path.with_name(SAMPLE_SLIDE.name)
    if not slide.exists():
        shutil.copy(SAMPLE_SLIDE, slide)
    for name in ("session.json", "session.before.json"):
        (path / name).is_file() and (path / name).chmod(0o600)
    session: Any = Session(ScriptedClient())
    try:
        session.saver.start()
        session.restoring.open(path)
        session.wait(60, until=lambda: not session.background.busy)
        assert "unexpected error" not in str(session.notices.problems)
        assert session.saver.on, "opening a session has switched saving off"
        if session.notices.problems:
            raise PixCellError(" ".join(session.notices.problems.values()))
    finally:
        session.close()


# -- datasets, canvases, large pictures ------------------------------------------------------


def read_dataset(path: Path) -> None:
    from napari_pixcell.datasets.formats.converting import convert
    from napari_pixcell.datasets.parallel.joining import join_dataset
    from napari_pixcell.datasets.report.writing import write_report
    from napari_pixcell.datasets.store.completeness import check_dataset
    from napari_pixcell.datasets.store.dataset import Dataset
    from napari_pixcell.errors import PixCellError

    dataset = Dataset(path)
    first: PixCellError | None = None
    out = path.with_name(path.name + " converted")
    shutil.rmtree(out, ignore_errors=True)
    for work in (
        lambda: check_dataset(dataset, nothing),
        lambda: everything_in(dataset),
        lambda: join_dataset(dataset),
        lambda: write_report(dataset, out.with_suffix(".html"), nothing),
        lambda: convert(dataset, "coco", out, None, nothing),
    ):
        try:
            work()
        except PixCellError as error:
            first = first or error
    if first is not None:
        raise first


def everything_in(dataset: Any) -> None:
    from napari_pixcell.datasets.store.nuclei import DifferingNuclei
    from napari_pixcell.studio.review.open_dataset import pair_picture

    for row in dataset.style_rows():
        dataset.style(row)
    for row in dataset.layout_rows():
        dataset.layout(row)
    for row in dataset.rows():
        nuclei = DifferingNuclei.from_row(row, dataset.description.size)
        pair_picture(dataset.image(row), dataset.mask(row), 64, nuclei)


def read_tiles(path: Path) -> None:
    from napari_pixcell.evaluation import tiles

    found = tiles.read_tiles(path, 0.5)
    tiles.check_groups(found)
    tiles.halves(found.tiles, 0)


def read_sample(path: Path) -> None:
    """Read a file of the sample data of a verification, by what it is."""
    from napari_pixcell.verification.figures import figures_from
    from napari_pixcell.verification.samples import SamplePatch

    patch = SamplePatch(path, path, path)
    if path.suffix == ".json":
        figures_from(path)
    elif path.suffix == ".jpeg":
        patch.read_pixels()
    elif "vae" in path.name:
        patch.read_latents(1)
    else:
        patch.read_embeddings(64)


def read_canvas(path: Path) -> None:
    from napari_pixcell.engine.canvas.plan import Canvas
    from napari_pixcell.engine.canvas.store import CanvasStore

    store = CanvasStore(path.name, Canvas(*CANVAS), 4, path.parent)
    try:
        for name in ("latents", "clean"):
            # What is known to be damaged is not used; the rest is as it was written.
            used = np.delete(np.asarray(getattr(store, name)), store.damaged.get(name, []), axis=1)
            assert np.isin(used, (0.0, 0.5, 1.0)).all() or not store.resumed
        np.asarray(store.picture[:64])
    finally:
        store.close(remove=False)


def read_picture(path: Path) -> None:
    from napari_pixcell.slides.stored_picture import StoredPicture

    picture = StoredPicture(path)
    np.asarray(picture)
    picture.small()


# -- weights, configurations, answers of the hub ---------------------------------------------


def read_weights(path: Path) -> None:
    from napari_pixcell.models.build import _CLASSES as NETWORKS
    from napari_pixcell.models.build import build_network, read_config
    from napari_pixcell.models.weights import load_file, load_weights
    from napari_pixcell.networks.stain_flow import StainFlowMLP

    if path.suffix == ".json":
        config = read_config(path)
        if path.name.startswith("scheduler"):
            from napari_pixcell.engine.solver import Solver

            Solver(config, 4)
            return
        known = path.stem if path.stem in NETWORKS else "pixcell-transformer"
        build_network(known, {**config, "num_layers": min_layers(config)})
        return
    tensors = load_file(path)
    if "flow" in path.name:
        load_weights(StainFlowMLP(128, 16, 16, 16, 128, 1), tensors, path.name)
    else:
        from napari_pixcell.models.lora import attach_lora, detach_lora

        transformer = demo_transformer()
        attach_lora(transformer, tensors, path.name)
        detach_lora(transformer)


def min_layers(config: dict[str, Any]) -> Any:
    layers = config.get("num_layers")
    return min(layers, 2) if isinstance(layers, int) else layers


@cache
def demo_transformer() -> Any:
    from napari_pixcell.models.build import build_network
    from napari_pixcell.models.families import get_family
    from napari_pixcell.models.store import find

    part = next(part for part in get_family("demo").parts if part.kind == "transformer")
    installed: Any = find(part)
    return build_network("pixcell-transformer", json.loads(installed.config.read_text()))


def read_answer(path: Path) -> None:
    """Download a file of a family from a hub that serves the input."""
    import tempfile

    import huggingface_hub.constants as constants
    from fake_hub import FakeHub

    from napari_pixcell.models import hub_file
    from napari_pixcell.models.catalogue import BUILT_IN
    from napari_pixcell.models.hub import download

    hub_file.FIRST_WAIT = 0.001
    part = BUILT_IN["pixcell-256"].parts[0]
    with tempfile.TemporaryDirectory() as home:
        constants.HF_HOME, constants.HF_HUB_CACHE = home, f"{home}/hub"
        data = path.read_bytes()
        files = dict.fromkeys(part.files, data or b"x")
        server: Any = RawServer(data) if path.suffix == ".http" else FakeHub({part.hub_id: files})
        os.environ["HF_ENDPOINT"] = server.url
        try:
            download((part,))
        finally:
            server.close()


class RawServer:
    """Answers every connection with the same bytes."""

    def __init__(self, data: bytes) -> None:
        import socket
        import threading

        self.data, self.socket = data, socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        import contextlib

        while True:
            with contextlib.suppress(ConnectionError):
                try:
                    connection, _ = self.socket.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65_536)
                    connection.sendall(self.data)

    def close(self) -> None:
        self.socket.close()


# -- all -------------------------------------------------------------------------------------


def nothing(*_: object) -> None:
    pass


READERS: dict[str, Reader] = {
    "slides": Reader(bases.make_slides, read_slide),
    "zarr slides": Reader(bases.make_zarr_slides, read_slide),
    "layouts": Reader(bases.make_layouts, read_layout),
    "records": Reader(bases.make_records, read_record),
    "recipes": Reader(bases.make_recipes, read_recipe),
    "styles": Reader(bases.make_styles, read_style),
    "features": Reader(bases.make_features, read_features),
    "clusters": Reader(bases.make_clusters, read_cluster),
    "runs": Reader(bases.make_runs, read_run),
    "families": Reader(bases.make_families, read_families),
    "preferences": Reader(bases.make_preferences, read_preferences),
    "sessions": Reader(bases.make_sessions, read_session),
    "datasets": Reader(bases.make_datasets, read_dataset),
    "samples": Reader(bases.make_samples, read_sample),
    "tiles": Reader(bases.make_tiles, read_tiles),
    "canvases": Reader(bases.make_canvases, read_canvas),
    "pictures": Reader(bases.make_pictures, read_picture),
    "weights": Reader(bases.make_weights, read_weights),
    "answers": Reader(bases.make_answers, read_answer),
}
