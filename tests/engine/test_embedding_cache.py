"""Embeddings on disk: the right one, or none."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_pixcell.engine.events import Embedding
from napari_pixcell.engine.styles.cache import EmbeddingCache, EmbeddingKey, embedding_key
from napari_pixcell.models.catalogue import DEMO, PIXCELL_256, PIXCELL_256_CELLS, PIXCELL_1024
from napari_pixcell.models.store import encoder_identity
from napari_pixcell.slides import ArraySlide, Region, open_slide
from napari_pixcell.slides.write import write_pyramid

KEY = EmbeddingKey("c" * 64, (10.0, 20.0, 256.0, 256.0), 0.5, 0.5, 256, 1, "e" * 64)
VALUES = np.random.default_rng(0).normal(size=(1, 1536)).astype(np.float32)
EVENT = Embedding(VALUES, KEY.encoder)
OTHERS = [
    replace(KEY, content="d" * 64),
    replace(KEY, region=(10.0, 21.0, 256.0, 256.0)),
    replace(KEY, slide_mpp=0.25),
    replace(KEY, model_mpp=0.499),
    replace(KEY, tile=1024),
    replace(KEY, grid=4),
    replace(KEY, encoder="f" * 64),
]


@pytest.fixture
def cache(tmp_path: Path) -> EmbeddingCache:
    return EmbeddingCache(tmp_path / "embeddings")


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of weights in which UNI2-h lies."""
    path = tmp_path / "weights" / "UNI2-h" / "pytorch_model.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(os.urandom(300_000))
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(tmp_path / "weights"))
    return path


def numbered(n: int) -> EmbeddingKey:
    return replace(KEY, region=(float(n), 0.0, 256.0, 256.0))


def entry(cache: EmbeddingCache, key: EmbeddingKey = KEY) -> Path:
    return cache.folder / key.name


def test_a_stored_embedding_comes_back_bit_by_bit(cache: EmbeddingCache) -> None:
    assert cache.get(KEY) is None
    assert cache.keep(KEY, EVENT)
    again = EmbeddingCache(cache.folder).get(KEY)
    assert again is not None and again.dtype == np.float32 and again.flags.writeable
    assert again.tobytes() == VALUES.tobytes()
    assert [p.name for p in cache.folder.iterdir()] == [KEY.name]


@pytest.mark.parametrize("other", OTHERS)
def test_everything_that_determines_an_embedding_is_part_of_its_key(cache, other) -> None:
    cache.keep(KEY, EVENT)
    assert cache.get(other) is None
    # Even under the other one's name it is not taken for it.
    entry(cache).rename(entry(cache, other))
    assert cache.get(other) is None
    assert not entry(cache, other).exists()


def test_another_version_of_the_program_ignores_the_entry(cache, monkeypatch) -> None:
    cache.keep(KEY, EVENT)
    monkeypatch.setattr("napari_pixcell.engine.styles.cache.__version__", "99")
    assert cache.get(KEY) is None


def flip_last_bit(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


def edit(content: bytes, **changes: object) -> bytes:
    head, _, values = content.partition(b"\n")
    return json.dumps(json.loads(head) | changes).encode() + b"\n" + values


DAMAGE = {
    "flipped bit": flip_last_bit,
    "cut short": lambda content: content[:-4],
    "longer": lambda content: content + b"\0\0\0\0",
    "empty": lambda content: b"",
    "no signature": lambda content: content.partition(b"\n")[2],
    "a list": lambda content: b"[]\n",
    "deep": lambda content: b"[" * 100_000,
    "huge": lambda content: content + bytes(5 * 2**20),
    "a pickle": lambda content: b"cos\nsystem\n(S'echo never'\ntR.",
    "format": lambda content: edit(content, format=0),
    "dtype": lambda content: edit(content, dtype="<f8"),
    "shape": lambda content: edit(content, shape=[1536, 1]),
    "shape of another kind": lambda content: edit(content, shape=[1.0, 1536.0]),
    "negative shape": lambda content: edit(content, shape=[-1, -1536]),
    "impossible shape": lambda content: edit(content, shape=[1, 10**18]),
    "shape of text": lambda content: edit(content, shape="ab"),
    "no shape": lambda content: edit(content, shape=None),
    "one field more": lambda content: edit(content, more=1),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_entry_is_removed_and_replaced(cache, kind) -> None:
    cache.keep(KEY, EVENT)
    entry(cache).write_bytes(DAMAGE[kind](entry(cache).read_bytes()))
    assert cache.get(KEY) is None
    assert not entry(cache).exists()
    assert cache.keep(KEY, EVENT)
    assert cache.get(KEY) is not None


def test_a_link_instead_of_an_entry_is_not_followed(cache, tmp_path) -> None:
    cache.keep(KEY, EVENT)
    elsewhere = entry(cache).rename(tmp_path / "elsewhere")
    entry(cache).symlink_to(elsewhere)
    assert cache.get(KEY) is None
    assert elsewhere.exists() and not entry(cache).is_symlink()


def test_only_embeddings_that_match_the_key_are_stored(cache) -> None:
    assert not cache.keep(None, EVENT)
    assert cache.get(None) is None
    assert not cache.keep(KEY, Embedding(VALUES, "weights that were exchanged since"))
    assert not cache.keep(KEY, Embedding(VALUES))
    assert not cache.keep(KEY, Embedding(np.repeat(VALUES, 16, 0), KEY.encoder))
    assert not cache.keep(KEY, Embedding(np.full((1, 8), np.nan, np.float32), KEY.encoder))
    assert not cache.folder.exists()


def test_a_grid_of_sixteen_is_stored_row_by_row(cache) -> None:
    key, values = replace(KEY, grid=4, tile=1024), np.repeat(VALUES, 16, 0)
    values += np.arange(16, dtype=np.float32)[:, None]
    assert cache.keep(key, Embedding(values, key.encoder))
    np.testing.assert_array_equal(cache.get(key), values)


def test_a_larger_region_is_stored_with_its_rows_and_columns(cache) -> None:
    x, y, side, _ = KEY.region
    key = replace(KEY, region=(x, y, 2.5 * side, 1.2 * side))
    values = np.arange(2 * 3 * 8, dtype=np.float32).reshape(2, 3, 8)
    assert cache.keep(key, Embedding(values, key.encoder))
    np.testing.assert_array_equal(cache.get(key), values)
    other = replace(key, region=(x, y, 1.2 * side, 2.5 * side))
    assert cache.get(other) is None
    for wrong in (values.reshape(3, 2, 8), values.reshape(6, 8), values[:1], values[..., None]):
        assert not cache.keep(key, Embedding(wrong, key.encoder))


def test_above_the_limit_the_least_recently_used_is_removed(cache) -> None:
    for n in range(4):
        assert cache.keep(numbered(n), EVENT)
    size = entry(cache, numbered(0)).stat().st_size
    assert cache.get(numbered(0)) is not None  # used just now
    small = EmbeddingCache(cache.folder, limit=4 * size + size // 2)
    assert small.measure() == 4 * size
    assert small.keep(numbered(4), EVENT)
    left = [n for n in range(5) if small.get(numbered(n)) is not None]
    assert left == [0, 2, 3, 4]
    assert small.bytes == 4 * size == sum(p.stat().st_size for p in small.folder.iterdir())


def test_an_embedding_larger_than_the_limit_is_not_stored(cache) -> None:
    assert not EmbeddingCache(cache.folder, limit=100).keep(KEY, EVENT)
    off = EmbeddingCache(cache.folder, limit=0)
    assert not off.keep(KEY, EVENT)
    assert cache.keep(KEY, EVENT) and off.get(KEY) is None


def test_the_limit_can_be_set(monkeypatch) -> None:
    assert EmbeddingCache().limit == 200_000_000
    monkeypatch.setenv("PIXCELL_EMBEDDINGS_MB", "0.5")
    assert EmbeddingCache().limit == 500_000
    monkeypatch.setenv("PIXCELL_EMBEDDINGS_MB", "much")
    assert EmbeddingCache().limit == 200_000_000


def test_clearing_removes_entries_and_nothing_else(cache) -> None:
    for n in range(3):
        cache.keep(numbered(n), EVENT)
    (cache.folder / "notes.txt").write_text("mine")
    assert cache.clear() == cache.bytes == 0
    assert [p.name for p in cache.folder.iterdir()] == ["notes.txt"]
    assert cache.get(numbered(0)) is None


def test_leftovers_of_a_crash_are_swept(cache) -> None:
    cache.keep(KEY, EVENT)
    names = (".x.embedding.old.part", ".x.embedding.fresh.part", "unfinished-of-before.tmp")
    old, fresh, before = (cache.folder / name for name in names)
    for path in (old, fresh, before):
        path.write_bytes(b"half")
    os.utime(old, (1, 1))
    os.utime(before, (1, 1))
    cache.measure()
    assert fresh.exists() and not old.exists() and not before.exists()


def test_an_unusable_folder_raises_no_error(tmp_path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = EmbeddingCache(tmp_path / "file" / "embeddings")
    assert not cache.keep(KEY, EVENT)
    assert cache.get(KEY) is None
    assert cache.measure() == cache.clear() == 0


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_can_still_be_read(cache) -> None:
    cache.keep(KEY, EVENT)
    cache.folder.chmod(0o500)
    try:
        assert cache.get(KEY) is not None
        assert not cache.keep(numbered(1), EVENT)
        assert cache.clear() > 0
    finally:
        cache.folder.chmod(0o700)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit of file sizes")
def test_a_full_disk_leaves_no_partial_entry(cache, monkeypatch) -> None:
    import resource
    import signal

    # A real limit of the system: what the process writes beyond it fails as on a full disk.
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        assert not cache.keep(KEY, EVENT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(cache.folder.iterdir()) == []


def test_concurrent_caches_agree(cache) -> None:
    failures: list[object] = []

    def work(start: int) -> None:
        own = EmbeddingCache(cache.folder, limit=60_000)  # about nine entries: it sweeps
        for n in range(start, start + 30):
            own.keep(numbered(n % 20), Embedding(VALUES + n % 20, KEY.encoder))
            values = own.get(numbered(n % 20))
            if values is not None and not np.array_equal(values, VALUES + n % 20):
                failures.append(n)

    threads = [threading.Thread(target=work, args=(start,)) for start in (0, 5, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert not list(cache.folder.glob(".*"))
    assert EmbeddingCache(cache.folder, limit=60_000).measure() <= 60_000


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (600, 600, 3), np.uint8)


def test_a_slide_file_is_identified_without_reading_pixels(tmp_path) -> None:
    write_pyramid(tmp_path / "a.tif", picture(0), 0.5)
    region = Region(0, 0, 256, 256)
    with open_slide(tmp_path / "a.tif") as slide:
        key = embedding_key(slide, region, DEMO)
    assert key is not None
    moved = (tmp_path / "a.tif").rename(tmp_path / "patient.tif")
    with open_slide(moved) as slide:
        assert embedding_key(slide, region, DEMO) == key
        assert embedding_key(slide.with_mpp(0.25), region, DEMO) != key
        assert embedding_key(slide, Region(1, 0, 256, 256), DEMO) != key


def test_a_file_changed_after_opening_is_identified_by_its_pixels(tmp_path) -> None:
    path = tmp_path / "a.tif"
    write_pyramid(path, picture(0), 0.5)
    with open_slide(path) as slide:
        before = embedding_key(slide, Region(0, 0, 256, 256), DEMO)
        middle = path.stat().st_size // 2
        with path.open("r+b") as file:  # size and both ends stay as they were
            file.seek(middle)
            file.write(b"\0\1\2\3")
        os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))
        assert embedding_key(slide, Region(0, 0, 256, 256), DEMO) is None
    with open_slide(path) as slide:
        assert embedding_key(slide, Region(0, 0, 256, 256), DEMO) not in (None, before)


def test_layers_and_multi_file_slides_are_identified_by_their_pixels(tmp_path) -> None:
    write_pyramid(tmp_path / "set.ome.tif", picture(0), 0.5)
    region = Region(0, 0, 256, 256)
    with open_slide(tmp_path / "set.ome.tif") as slide:
        assert embedding_key(slide, region, DEMO) is None
    layer = ArraySlide([picture(1)], 0.5, "layer")
    assert embedding_key(layer, region, DEMO) is None
    key = embedding_key(layer, region, DEMO, layer.read(region, 0.5))
    renamed = ArraySlide([picture(1)], 0.5, "another name")
    assert embedding_key(renamed, region, DEMO, renamed.read(region, 0.5)) == key
    other = ArraySlide([picture(2)], 0.5, "layer")
    assert embedding_key(other, region, DEMO, other.read(region, 0.5)) != key


def test_families_with_one_encoder_share_its_embeddings_and_others_do_not(weights) -> None:
    slide, region = ArraySlide([picture(1)], 0.5, "layer"), Region(0, 0, 256, 256)
    pixels = slide.read(region, 0.5)
    keys = {
        family.name: embedding_key(slide, region, family, pixels)
        for family in (DEMO, PIXCELL_256, PIXCELL_256_CELLS, PIXCELL_1024)
    }
    assert None not in keys.values()
    assert keys["pixcell-256"] == keys["pixcell-256-cells"]
    assert len(set(keys.values())) == 3


def test_replaced_weights_are_another_encoder(weights: Path) -> None:
    before = encoder_identity(PIXCELL_256)
    assert before == encoder_identity(PIXCELL_256)
    now = weights.stat().st_mtime_ns
    os.utime(weights, ns=(now, now + 1))
    touched = encoder_identity(PIXCELL_256)
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    os.utime(weights, ns=(now, now))
    edited = encoder_identity(PIXCELL_256)
    assert len({before, touched, edited}) == 3
    weights.unlink()
    assert encoder_identity(PIXCELL_256) is None


def test_the_identity_is_that_of_the_files_not_of_their_folder(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = encoder_identity(PIXCELL_256)
    weights.parent.parent.rename(tmp_path / "moved")
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(tmp_path / "moved"))
    assert encoder_identity(PIXCELL_256) == before
