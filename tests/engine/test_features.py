"""Files of features: TRIDENT's, CLAM's and the published ones, read row by row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from feature_files import SIDE, SIZE, CountedFile, features_of, places, write_clam, write_trident

from napari_pixcell.engine.styles.features import file as feature_file
from napari_pixcell.engine.styles.features import search as feature_search
from napari_pixcell.engine.styles.features.file import FeatureFile, open_features
from napari_pixcell.engine.styles.features.neighbours import PatchNeighbours
from napari_pixcell.engine.styles.features.search import FeatureSearch
from napari_pixcell.engine.styles.features.writing import write_features
from napari_pixcell.engine.styles.similarity import alike
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import DEMO, PIXCELL_256, PIXCELL_1024
from napari_pixcell.slides.region import Region

MANY = 200_000


def refused(path: Path, family: Any = PIXCELL_256) -> str:
    with pytest.raises(PixCellError) as caught:
        open_features(path, family).close()
    return str(caught.value)


# -- layouts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["trident", "clam", "cohort"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_each_layout_gives_the_same_rows_and_places(tmp_path, kind, dtype) -> None:
    values, coords = features_of(12).astype(dtype), places(3, 4)
    path = tmp_path / "slide.h5"
    match kind:
        case "trident":
            write_trident(path, values, coords)
        case "clam":
            write_clam(path, values, coords)
        case "cohort":
            with h5py.File(path, "w") as file:
                file["features"], file["coords"] = values[None], coords[None]
    with open_features(path, PIXCELL_256) as features:
        assert len(features) == 12 and features.origin.dimension == SIZE
        rows = features.rows([7, 2])
        assert rows.dtype == np.float32 and np.array_equal(rows, values[[7, 2]].astype(np.float32))
        assert np.array_equal(features.coords, coords)
        assert features.region(6) == Region(2 * SIDE, SIDE, SIDE, SIDE)
        assert [first for first, _ in features.blocks(5)] == [0, 5, 10]
        whole = np.concatenate([rows for _, rows in features.blocks(5)])
        assert np.array_equal(whole, values.astype(np.float32))


def test_a_large_file_is_opened_by_its_head_and_never_read_whole(tmp_path, monkeypatch) -> None:
    """A file of 200,000 rows, 1.2 GB of features, of which TRIDENT stores each in a chunk."""
    path, coords = tmp_path / "slide.h5", places(400, 500)
    with h5py.File(path, "w") as file:  # rows that were not written read as zeros
        shape = (MANY, SIZE)
        data = file.create_dataset("features", shape, "f4", chunks=(1, SIZE), maxshape=(None, SIZE))
        data[123_456] = 1
        file.create_dataset("coords", data=coords, chunks=(64, 2), maxshape=(None, 2))
        file["coords"].attrs["patch_size_level0"] = SIDE
    counted = CountedFile(path)
    monkeypatch.setattr(feature_file, "open_hdf5", lambda path: h5py.File(counted, "r"))
    with open_features(path, PIXCELL_256) as features:
        assert len(features) == MANY
        assert counted.bytes < 20_000
        assert features.rows([123_456]).mean() == 1
        assert counted.bytes < 100_000
        assert features.region(123_456) == Region(456 * SIDE, 246 * SIDE, SIDE, SIDE)
        assert counted.bytes < 5_000_000  # the coordinates are 3.2 MB


def test_coordinates_in_a_chunk_each_are_gathered_as_hdf5_reads_them(tmp_path) -> None:
    coords = places(300, 7, start=(3, 5))
    path = write_trident(tmp_path / "slide.h5", features_of(len(coords), 8), coords)
    with FeatureFile(path) as features, h5py.File(path) as file:
        assert np.array_equal(features.coords, file["coords"][:])
        assert features.coords.dtype == np.float64


def test_the_patch_size_is_stated_or_seen(tmp_path) -> None:
    coords, values = places(2, 3, side=300), features_of(6)
    path = write_clam(tmp_path / "a.h5", values, coords)
    with FeatureFile(path) as features:
        assert features.side == 300 and features.shape is None
    with h5py.File(path, "r+") as file:  # as CLAM's own patches state it
        file["coords"].attrs.update(patch_size=256, patch_level=0, custom_downsample=2)
    with FeatureFile(path) as features:
        assert features.side == 512
    alone = write_clam(tmp_path / "b.h5", values[:1], coords[:1])
    with FeatureFile(alone) as features, pytest.raises(PixCellError, match="not state the size"):
        features.region(0)


# -- what is refused -------------------------------------------------------------------------


def test_other_encoders_are_refused_by_name(tmp_path) -> None:
    values, coords = features_of(4), places(2, 2)
    path = write_trident(tmp_path / "a.h5", values, coords, encoder="gigapath")
    assert "“a.h5” holds embeddings of Prov-GigaPath, and PixCell-256 needs" in refused(path)
    path = write_trident(tmp_path / "b.h5", values[:, :1024], coords, encoder="None")
    assert "of 1,024 numbers, and those of UNI2-h have 1,536. Choose a file" in refused(path)
    path = write_trident(tmp_path / "c.h5", values, coords, encoder="my-own")
    assert "holds embeddings of my-own, and" in refused(path)
    folder = tmp_path / "features_hoptimus0"
    folder.mkdir()
    path = write_trident(folder / "d.h5", values, coords, encoder=None)
    assert "holds embeddings of H-optimus-0, and" in refused(path)
    path = write_trident(tmp_path / "e.h5", values, coords)
    assert "UNI2-h, and Demo (bundled) has an encoder of its own" in refused(path, DEMO)


def test_patches_of_another_size_are_refused(tmp_path) -> None:
    values, coords = features_of(4), places(2, 2)
    path = write_trident(tmp_path / "a.h5", values, coords, patch_size=512)
    words = "holds patches of 512 px at 20× (256 µm), and PixCell-1024 needs 128 µm. Choose a file"
    assert words in refused(path, PIXCELL_1024)
    path = write_trident(tmp_path / "b.h5", values, coords, patch_size=224)
    assert "224 px at 20× (112 µm)" in refused(path)
    path = write_trident(tmp_path / "c.h5", values, coords, target_magnification=40)
    assert "256 px at 40× (64 µm)" in refused(path)
    path = write_trident(tmp_path / "d.h5", values, coords, patch_size=512, target_magnification=40)
    open_features(path, replace(PIXCELL_1024, mpp=0.4661)).close()  # of a stain


def test_a_cut_file_says_so(tmp_path) -> None:
    path = write_trident(tmp_path / "slide.h5", features_of(40), places(5, 8))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert refused(path) == "“slide.h5” is cut: it ends too early. Download or copy it again."


def test_a_damaged_row_says_so(tmp_path) -> None:
    with h5py.File(tmp_path / "slide.h5", "w") as file:
        data = features_of(64)
        file.create_dataset("features", data=data, chunks=(64, SIZE), compression="gzip")
        file["coords"] = places(8, 8)
        at = file["features"].id.get_chunk_info(0).byte_offset
    with (tmp_path / "slide.h5").open("r+b") as raw:
        raw.seek(at)
        raw.write(b"\0" * 4096)
    with open_features(tmp_path / "slide.h5", PIXCELL_256) as features:
        with pytest.raises(PixCellError) as caught:
            features.rows([3])
        assert "“slide.h5” cannot be read: it is damaged. Download or copy it again." in str(
            caught.value
        )


def test_what_is_no_file_of_features_is_refused(tmp_path) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(b"nothing of the kind" * 100)
    assert "“a.h5” is not an HDF5 file. Choose a file of patch features" in refused(path)
    assert "“gone.h5” does not exist" in refused(tmp_path / "gone.h5")

    def written(**arrays: Any) -> str:
        with h5py.File(path, "w") as file:
            for name, values in arrays.items():
                file[name] = values
        return refused(path)

    values, coords = features_of(4), places(2, 2)
    assert "“a.h5” holds no features. Choose a file" in written(other=values)
    assert "“a.h5” holds no coords. Choose a file" in written(features=values)
    assert "coordinates of patches, but no features" in written(coords=coords)
    assert "one embedding for the whole slide" in written(features=values[0], coords=coords)
    assert "shape (2, 2, 1536) and the type float32" in written(
        features=values.reshape(2, 2, -1), coords=coords
    )
    assert "the type int16, which are not" in written(features=values.astype("i2"), coords=coords)
    assert "4 embeddings, but coordinates of the shape (3, 2)" in written(
        features=values, coords=coords[:3]
    )
    assert "“a.h5” holds no patches" in written(features=values[:0], coords=coords[:0])
    with h5py.File(path, "w") as file:
        file.create_group("features"), file.create_group("coords")
    assert "“a.h5” holds no features. Choose" in refused(path)
    with h5py.File(path, "w") as file:
        file.create_dataset("features", (10**9, SIZE), "f4", chunks=(1, SIZE))
        file.create_dataset("coords", (10**9, 2), "i4", chunks=(1, 2))
    assert "claims 1,000,000,000 embeddings of 1,536 numbers, too many" in refused(path)
    with h5py.File(path, "w") as file:
        shape = (60_000, SIZE)
        file.create_dataset("features", shape, "f4", chunks=shape, compression="gzip")
        file.create_dataset("coords", (60_000, 2), "i4")
    assert "Repack it: h5repack -l features:CHUNK=64x1536." in refused(path)
    infinite = coords.astype(float)
    infinite[1, 0] = np.inf
    with h5py.File(path, "w") as file:
        file["features"], file["coords"] = values, infinite
    with FeatureFile(path) as features, pytest.raises(PixCellError, match="that lie on no slide"):
        features.region(0)


def test_data_in_other_files_is_never_read(tmp_path) -> None:
    values, coords = features_of(4), places(2, 2)
    write_trident(tmp_path / "other.h5", values, coords)
    words = "“a.h5” refers to features in another file. Copy them into one file"
    for how in ("link", "virtual", "external"):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["coords"] = coords
            if how == "link":
                file["features"] = h5py.ExternalLink("other.h5", "features")
            elif how == "virtual":
                layout = h5py.VirtualLayout(values.shape, "f4")
                layout[:] = h5py.VirtualSource("other.h5", "features", values.shape)
                file.create_virtual_dataset("features", layout)
            else:
                raw = [("other.h5", 0, values.nbytes)]
                file.create_dataset("features", values.shape, "f4", external=raw)
        assert words in refused(tmp_path / "a.h5")


# -- neighbours ------------------------------------------------------------------------------


def test_a_row_is_a_style_of_a_family_with_one_embedding(tmp_path) -> None:
    values, coords = features_of(12), places(3, 4)
    with FeatureFile(write_trident(tmp_path / "a.h5", values, coords)) as features:
        style = PatchNeighbours(features).style(5, PIXCELL_256)
        assert np.array_equal(style.values, values[5][None, None])
        assert style.name == f"features {features.key[:12]}#5" and len(features.key) == 32
        words = "“a.h5” has no row 12. Choose one from 0 to 11."
        with pytest.raises(PixCellError, match=words):
            PatchNeighbours(features).style(12, PIXCELL_256)


@pytest.mark.parametrize("shuffled", [False, True])
def test_neighbouring_rows_are_a_style_row_by_row(tmp_path, shuffled) -> None:
    """PixCell-1024 takes 4 × 4 embeddings, row by row from the top left, in any order of a file."""
    values, coords = features_of(30), places(5, 6, start=(7, 9))
    order = np.random.default_rng(1).permutation(30) if shuffled else np.arange(30)
    path = write_trident(tmp_path / "a.h5", values[order], coords[order])
    grid = values.reshape(5, 6, -1)
    with FeatureFile(path) as features:
        near = PatchNeighbours(features)
        inside = near.style(int(np.flatnonzero(order == 2 * 6 + 2)[0]), PIXCELL_1024)
        assert np.array_equal(inside.values, grid[0:4, 0:4])  # of four, the first in reading order
        corner = near.style(int(np.flatnonzero(order == 29)[0]), PIXCELL_1024)
        assert np.array_equal(corner.values, grid[1:5, 2:6])
        assert np.array_equal(features.rows(corner.rows[0]), grid[1, 2:6])
        assert near.row_at(7 + 3.5 * SIDE, 9 + 2.5 * SIDE) == np.flatnonzero(order == 2 * 6 + 3)[0]
        with pytest.raises(
            PixCellError, match=r"has no patch at 9000, 100\. The nearest one is row"
        ):
            near.row_at(9000, 100)


def test_what_is_missing_beside_a_row_is_said(tmp_path) -> None:
    values, coords = features_of(16), places(4, 4)
    values[9] = np.nan  # at the second of the third row
    with FeatureFile(write_trident(tmp_path / "a.h5", values, coords)) as features:
        near = PatchNeighbours(features)
        with pytest.raises(PixCellError) as caught:
            near.style(5, PIXCELL_1024)
        words = "around row 5 of “a.h5” there are 15 of 16: none at 512, 1024. Choose a row"
        assert words in str(caught.value)
        with pytest.raises(PixCellError, match=r"Row 9 of “a\.h5” holds no numbers\. Choose"):
            near.style(9, PIXCELL_256)
    few = write_trident(tmp_path / "b.h5", values[:4], coords[:4])
    with (
        FeatureFile(few) as features,
        pytest.raises(PixCellError, match=r"4 of 16: none at .* and"),
    ):
        PatchNeighbours(features).style(0, PIXCELL_1024)


def test_complete_squares_do_not_overlap(tmp_path) -> None:
    """Two pieces of tissue, whose patches do not lie on one grid, as CLAM cuts them."""
    coords = np.concatenate([places(5, 9), places(4, 4, start=(100, 100_000))])
    path = write_clam(tmp_path / "a.h5", features_of(len(coords), 8), coords)
    with FeatureFile(path) as features:
        near = PatchNeighbours(features)
        assert near.complete(4).tolist() == [0, 4, 45]
        assert near.complete(1).tolist() == list(range(61))


# -- similarity ------------------------------------------------------------------------------


def test_search_finds_what_the_search_of_a_slide_finds(tmp_path, monkeypatch) -> None:
    values, coords = features_of(600, 64), places(20, 30)
    values += 5  # what all tissue shares
    values[417] = values[33] + 0.1
    path = write_trident(tmp_path / "a.h5", values, coords)
    with FeatureFile(path) as features:
        heat = FeatureSearch(features).heat(values[33])
        assert heat.complete and heat.skipped == 0
        assert np.allclose(heat.similarity, alike(values, values[33]), atol=1e-5)
        first, second = heat.best(2)
        assert (first.row, second.row) == (33, 417) and first.similarity > 0.99
        assert second.region == Region(27 * SIDE, 13 * SIDE, SIDE, SIDE)
        away = heat.best(1, away_from=features.region(33))
        assert away[0].row == 417
        grid, spread = heat.map()
        assert grid.shape == (20 * SIDE, 30 * SIDE) and grid.side == SIDE
        assert np.array_equal(spread.ravel(), heat.similarity)
        assert grid.tile(13, 27) == second.region
        wide, spread = heat.map((40 * SIDE, 60 * SIDE))
        assert spread.shape == (40, 60) and wide.tissue.sum() == 600
        assert np.isfinite(spread).sum() == 600
        monkeypatch.setattr(feature_search, "MOST_CELLS", 150)
        coarse, spread = heat.map()  # cells of 4 patches
        assert spread.shape == coarse.tissue.shape == (10, 15) and coarse.cell == (1024, 1024)
        assert spread[6, 13] == heat.similarity[417] and spread[0, 1] == heat.similarity[33]


def test_rows_without_numbers_are_skipped_and_counted(tmp_path, monkeypatch) -> None:
    values, coords = features_of(40, 16).astype(np.float16), places(5, 8)
    values[[3, 17]], values[20, 5] = np.nan, np.inf
    path = write_trident(tmp_path / "a.h5", values, coords)
    monkeypatch.setattr(FeatureFile.blocks, "__defaults__", (10,))
    with FeatureFile(path) as features:
        search = FeatureSearch(features)
        steps = [(heat.done, heat.skipped) for heat in search.steps(features.rows([0]))]
        assert steps == [(10, 1), (20, 2), (30, 3), (40, 3)]
        heat = search.heat(features.rows([0]))
        assert np.flatnonzero(np.isnan(heat.similarity)).tolist() == [3, 17, 20]
        _, spread = heat.map()
        assert np.isnan(spread[0, 3]) and spread[0, 0] == heat.similarity[0]
        with pytest.raises(PixCellError, match="embeddings of 16 numbers, and this style has 8"):
            search.heat(np.ones(8, np.float32))
    none = write_trident(tmp_path / "b.h5", np.full((4, 16), np.nan, "f4"), places(2, 2))
    with FeatureFile(none) as features, pytest.raises(PixCellError, match=r"“b\.h5” holds no num"):
        FeatureSearch(features).heat(np.ones(16, np.float32))


# -- writing ---------------------------------------------------------------------------------


def test_a_grid_is_written_as_trident_documents_it(tmp_path) -> None:
    grid = features_of(6, 128).reshape(2, 3, 128)
    path, region = tmp_path / "grid.h5", Region(100, 200, 3 * 513, 2 * 513)
    write_features(path, grid, region, ((4000, 5000), 0.2495), DEMO)
    with h5py.File(path, "r") as file:  # as TRIDENT's read_coords and its documentation read it
        attrs, coords = dict(file["coords"].attrs), file["coords"][:]
        features = file["features"][:]
        assert file["features"].attrs["encoder"] == "tile-encoder"
        assert file["features"].chunks == (1, 128)
    assert features.shape == (6, 128) and np.array_equal(features, grid.reshape(6, 128))
    assert coords.dtype == np.int64 and coords[:4].tolist() == [
        [100, 200],
        [613, 200],
        [1126, 200],
        [100, 713],
    ]
    assert {key: int(attrs[key]) for key in attrs if key not in ("name", "savetodir")} == {
        "patch_size": 256,
        "patch_size_level0": 513,
        "level0_magnification": 40,
        "target_magnification": 20,
        "overlap": 0,
        "level0_width": 5000,
        "level0_height": 4000,
    }
    with open_features(path, DEMO) as features_file:  # its own family reads it, and no other
        assert np.array_equal(features_file.rows(range(6)), features)
        assert features_file.region(1) == Region(613, 200, 513, 513)
    assert "tile-encoder, and PixCell-256 needs those of UNI2-h" in refused(path)


def test_a_drive_without_locks_is_read_without(tmp_path, monkeypatch) -> None:
    path, plain = write_trident(tmp_path / "a.h5", features_of(4), places(2, 2)), h5py.File

    def opened(path: Path, mode: str, locking: bool = True) -> Any:
        if locking:
            raise OSError("Unable to synchronously open file (unable to lock file, errno = 37)")
        return plain(path, mode)

    monkeypatch.setattr(h5py, "File", opened)
    with FeatureFile(path) as features:
        assert len(features) == 4
