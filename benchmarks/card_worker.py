"""The real worker process on the card: its start, a cancel, freeing, and memory that is full."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from card_figures import FAMILIES, Options, say

from napari_pixcell.engine.events import Event, Failure, Finished, Notice, Progress, Variant
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import EmbedRequest, GenerateRequest
from napari_pixcell.models.families import get_family
from napari_pixcell.worker.client import SubmittedRequest, WorkerClient

# Takes all of the card but so many MB, says so, and holds it until its input ends.
BLOCKER = """
import sys, torch
torch.zeros(1, device="cuda")
left = int(sys.argv[1]) * 2**20
kept = []
for size in (2**30, 2**26, 2**21):
    while torch.cuda.mem_get_info()[0] - size >= left:
        kept.append(torch.empty(size, dtype=torch.uint8, device="cuda"))
print(torch.cuda.mem_get_info()[0] >> 20, flush=True)
sys.stdin.read()
"""
# MB that are free before a family is loaded, and after it has embedded a tile.
LEFT_BEFORE = (6_000, 3_700, 1_200)
LEFT_AFTER = (500, 20)


def measure(options: Options) -> None:
    """Run requests through the client, as the dock does."""
    _start_and_cancel("demo", 128, 1)
    options.write(*FAMILIES)
    for name in FAMILIES:
        _start_and_cancel(name, options.widths.embed_dim, get_family(name).grid ** 2)
    if card_mb() is None:
        say("worker", left_out="there is no card whose memory could be full")
        return
    for name in FAMILIES:
        for left in LEFT_BEFORE:
            _full(name, options, before=left)
        for left in LEFT_AFTER:
            _full(name, options, after=left)


def card_mb() -> int | None:
    """Give the MB of the card that are in use, or None without one that can say."""
    command = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return int(done.stdout.split()[0])


def _request(name: str, width: int, tokens: int, count: int = 1) -> GenerateRequest:
    style = np.random.default_rng(0).normal(size=(tokens, width)).astype(np.float32)
    return GenerateRequest(name, PackedArray.pack(style), count=count)


def _finish(job: SubmittedRequest) -> tuple[list[Event], float, float]:
    """Wait for a job: its events, and the seconds to its first progress and to its end."""
    started, first = time.perf_counter(), 0.0
    events: list[Event] = []
    for event in job.events():
        events.append(event)
        if isinstance(event, Progress) and not first and event.done:
            first = time.perf_counter() - started
    return events, first, time.perf_counter() - started


def _start_and_cancel(name: str, width: int, tokens: int) -> None:
    """Time the first and a later request, a cancel, and see the memory come back."""
    client, before = WorkerClient(), card_mb()
    try:
        one = _request(name, width, tokens)
        events, first_step, first = _finish(client.submit(one))
        made = sum(isinstance(event, Variant) for event in events)
        _, _, later = _finish(client.submit(one))
        used = card_mb()
        what: dict[str, Any] = {"made": made, "first_step": first_step, "first": first}
        if not made:
            what["events"] = [str(event)[:300] for event in events[-2:]]
        say("worker", family=name, **what, later=later)
        job = client.submit(_request(name, width, tokens, count=200))
        asked, late = 0.0, 0.0
        for event in job.events():
            if isinstance(event, Progress) and event.done > 30 and not asked:
                job.cancel()
                asked = time.perf_counter()
            if isinstance(event, Finished):
                late = time.perf_counter() - asked
                say("worker", family=name, cancelled=event.cancelled, seconds_to_stop=late)
        events, _, _ = _finish(client.submit(one))
        say("worker", family=name, after_a_cancel=sum(isinstance(e, Variant) for e in events))
        started = time.perf_counter()
        client.restart()  # what “Free memory” does
        seconds = time.perf_counter() - started
        after = card_mb()
        mb = {"before": before, "held": used, "after": after}
        say("worker", family=name, freed_in=seconds, card_mb=mb)
    finally:
        client.close()


@contextmanager
def blocked(left: int) -> Iterator[int]:
    """Hold all memory of the card but so many MB; gives the MB that are free."""
    process = subprocess.Popen(
        [sys.executable, "-c", BLOCKER, str(left)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdin is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait()


def _full(name: str, options: Options, before: int = 0, after: int = 0) -> None:
    """Ask for a batch where memory is taken before the family is loaded, or after it."""
    family, width = get_family(name), options.widths.embed_dim
    tissue = PackedArray.pack(options.tissue(family.tile, family.tile))
    with tempfile.TemporaryDirectory() as folder:
        kept, os.environ["PIXCELL_CONFIG_DIR"] = os.environ["PIXCELL_CONFIG_DIR"], folder
        client = WorkerClient()
        try:
            if after:
                _finish(client.submit(EmbedRequest(name, tissue)))
            with blocked(before or after) as free:
                job = client.submit(_request(name, width, family.grid**2, count=8))
                _watch(job, name, {"free_mb": free, "taken": "after" if after else "before"})
            client.restart()  # what was remembered must not outlast the other program
            job = client.submit(_request(name, width, family.grid**2))
            _watch(job, name, {"taken": "no more"})
        finally:
            client.close()
            os.environ["PIXCELL_CONFIG_DIR"] = kept


def _watch(job: SubmittedRequest, name: str, what: dict[str, Any]) -> None:
    """Print the first variant, or why there is none, with all that was said until then."""
    started, said, words, device, end = time.perf_counter(), [], "", "", ""
    for event in job.events():
        if isinstance(event, Notice):
            said.append(event.message)
        elif isinstance(event, Variant):
            device = event.record.device
            what |= {"batch": event.record.batch[0]}
            job.cancel()
        elif isinstance(event, Failure):
            end, words = event.message, event.details.strip()[-300:]
        if not device and time.perf_counter() - started > 60:
            device = "none in 60 s"
            job.cancel()
    seconds = time.perf_counter() - started
    more = {"failure": end, "details": words} if end else {}
    say("worker", family=name, **what, device=device, seconds=seconds, said=said, **more)
