"""Files of weights are hashed while they are read."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest

from napari_pixcell.models import weights
from napari_pixcell.models.families import get_family
from napari_pixcell.models.loading import load_family, pick_device
from napari_pixcell.models.store import require
from napari_pixcell.models.weights import hashing


def test_a_family_carries_the_hash_of_each_of_its_files_read_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weights._sha256.cache_clear()
    digest, hashed = hashlib.file_digest, []

    def counted(file, name):
        hashed.append(file.name)
        return digest(file, name)

    monkeypatch.setattr(weights.hashlib, "file_digest", counted)
    family = get_family("demo")
    loaded = load_family(family, pick_device())
    files = {kind: require(family, family.part(kind)).weights for kind in loaded.weights}
    assert {"transformer", "controlnet", "vae", "encoder"} <= set(files)
    assert loaded.weights == {
        kind: hashlib.sha256(path.read_bytes()).hexdigest() for kind, path in files.items()
    }
    assert len(hashed) == len(set(hashed))


def test_who_is_stopped_does_not_wait_for_the_files_that_are_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / str(number) for number in range(weights.HASHED_AT_ONCE + 5)]
    goes_on, begun = threading.Event(), []
    monkeypatch.setattr(
        weights, "sha256_of", lambda path: begun.append(path) or str(goes_on.wait(30))
    )
    with pytest.raises(ZeroDivisionError), hashing(paths):
        raise ZeroDivisionError
    goes_on.set()
    assert len(begun) <= weights.HASHED_AT_ONCE


def test_a_file_that_cannot_be_read_is_told_when_it_is_asked_for(tmp_path: Path) -> None:
    with hashing([tmp_path / "gone"]) as hash_of, pytest.raises(FileNotFoundError):
        hash_of(tmp_path / "gone")
