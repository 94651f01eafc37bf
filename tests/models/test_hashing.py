"""Weight files are hashed while they are loaded."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest
import torch

from napari_pixcell import files
from napari_pixcell.models import weights
from napari_pixcell.models.families import get_family
from napari_pixcell.models.loading import load_family
from napari_pixcell.models.store import require
from napari_pixcell.models.weights import background_hashes


def test_each_weight_file_of_a_family_is_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    files._sha256.cache_clear()
    digest, hashed = hashlib.file_digest, []

    def counted(file, name):
        hashed.append(file.name)
        return digest(file, name)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    family = get_family("demo")
    loaded = load_family(family, torch.device("cpu"))
    paths = {kind: require(family, family.part(kind)).weights for kind in loaded.weights}
    assert {"transformer", "controlnet", "vae", "encoder"} <= set(paths)
    assert loaded.weights == {
        kind: hashlib.sha256(path.read_bytes()).hexdigest() for kind, path in paths.items()
    }
    assert len(hashed) == len(set(hashed))


def test_an_error_while_loading_does_not_wait_for_the_remaining_hashes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / str(number) for number in range(weights.HASH_THREADS + 5)]
    resume, begun = threading.Event(), []
    monkeypatch.setattr(
        weights, "cached_sha256", lambda path: begun.append(path) or str(resume.wait(30))
    )
    with pytest.raises(ZeroDivisionError), background_hashes(paths):
        raise ZeroDivisionError
    resume.set()
    assert len(begun) <= weights.HASH_THREADS


def test_an_unreadable_file_raises_when_its_hash_is_requested(tmp_path: Path) -> None:
    with background_hashes([tmp_path / "gone"]) as hash_of, pytest.raises(FileNotFoundError):
        hash_of(tmp_path / "gone")
