"""The same machine for every test: free memory and CPU features of the real one play no part."""

from __future__ import annotations

from types import SimpleNamespace

import psutil
import pytest

from napari_pixcell.models import loading


@pytest.fixture(autouse=True)
def steady_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 GB of free memory, and a CPU without bfloat16."""
    memory = SimpleNamespace(available=64 * 10**9, total=64 * 10**9)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(loading, "_cpu_has_bf16", lambda: False)
