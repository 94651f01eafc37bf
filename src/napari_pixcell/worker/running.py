"""A running worker process as its client sees it: messages in both directions, and its end.

Nothing here blocks the caller: messages are sent in a thread. The worker confirms each of them as
soon as it has read it, also while a request runs. One that stays silent for the patience, because
it was stopped or hangs, is killed.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Literal

import psutil

from napari_pixcell.errors import PixCellError
from napari_pixcell.worker import protocol

log = logging.getLogger(__name__)

PATIENCE_S = 20.0
# Until torch is imported, which takes long from a slow disk and keeps the worker from answering.
STARTS_IN = 6  # times the patience
TICKS = 20  # of the watch, in the patience
LONGEST_LINE = 1 << 30  # bytes
MOST_LOG_BYTES = 1_000_000  # a longer log is replaced by a new one when a worker starts

Reason = Literal["", "freed", "silent", "garbled"]


class WorkerProcess:
    """One process, from its start to its end.

    Parameters
    ----------
    receive : callable
        Called with each message, in a thread. If it raises, the process is killed.
    ended : callable
        Called once with this object when the process has ended, in the same thread.
    log_file : Path
        Where the worker's output is appended. A worker runs also without it.
    patience : float
        Seconds without a sign of life after which the process is killed.

    Raises
    ------
    PixCellError
        If the process cannot be started.

    Attributes
    ----------
    reason : str
        Why the client killed it; empty if it did not.
    code : int or None
        Exit code, once it has ended.
    """

    def __init__(
        self,
        receive: Callable[[dict[str, Any]], None],
        ended: Callable[[WorkerProcess], None],
        log_file: Path,
        patience: float = PATIENCE_S,
    ) -> None:
        self.reason: Reason = ""
        self.code: int | None = None
        self._receive, self._ended, self._patience = receive, ended, patience
        self._outbox: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._unheard = 0  # messages that the worker has not confirmed
        self._silence = 0.0  # seconds
        self._ready = False
        self._expecting = threading.Event()
        self._over = threading.Event()
        self._process, self.has_log = _start(log_file)
        for work in (self._write, self._read, self._watch):
            threading.Thread(target=work, name=f"pixcell{work.__name__}", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return not self.reason and self._process.poll() is None

    def send(self, message: dict[str, Any]) -> None:
        """Send a message, in a thread. If the worker has died, its reader notices."""
        with self._lock:
            self._unheard += 1
            if self._unheard == 1:
                self._silence = 0.0
        self._outbox.put(message)
        self._expecting.set()

    def kill(self, reason: Reason) -> None:
        """Kill the process, which a stopped one cannot refuse."""
        self.reason = self.reason or reason
        with suppress(OSError):
            self._process.kill()

    def wait(self) -> None:
        """Wait until a killed process has ended, but no longer than the patience."""
        try:
            self._process.wait(self._patience)
        except subprocess.TimeoutExpired:
            log.warning("the worker does not end; it waits for a disk or a device")

    def _write(self) -> None:
        stream = _stream(self._process.stdin)
        with suppress(OSError, ValueError):  # the worker is gone; its reader reports it
            while (message := self._outbox.get()) is not None:
                protocol.write_line(stream, message)
        with suppress(OSError, ValueError):
            stream.close()

    def _read(self) -> None:
        stream = _stream(self._process.stdout)
        try:
            while (line := stream.readline(LONGEST_LINE)).endswith(b"\n"):
                self._take(json.loads(line))
            if len(line) == LONGEST_LINE:
                self.kill("garbled")
        except Exception:
            log.exception("a message of the worker could not be read")
            self.kill("garbled")
        self.code = self._process.wait()
        self._over.set()
        self._expecting.set()
        self._outbox.put(None)
        self._ended(self)

    def _take(self, message: dict[str, Any]) -> None:
        with self._lock:
            self._silence = 0.0
            if message["event"] == protocol.HEARD:
                self._unheard -= 1
            self._ready |= message["event"] == protocol.READY
        if message["event"] not in (protocol.HEARD, protocol.READY):
            self._receive(message)

    def _watch(self) -> None:
        # Time is counted in ticks, so that it stops while this process itself is stopped.
        tick = self._patience / TICKS
        while not self._over.is_set():
            self._expecting.wait()
            self._over.wait(tick)
            with self._lock:
                if self._unheard <= 0:
                    self._expecting.clear()
                    continue
                self._silence += tick
                silence = self._silence
            if silence > self._patience and (
                self._ready or silence > STARTS_IN * self._patience or self._is_stopped()
            ):
                log.warning("the worker has not answered for %g s and is killed", silence)
                self.kill("silent")
                return

    def _is_stopped(self) -> bool:
        try:
            return bool(psutil.Process(self.pid).status() == psutil.STATUS_STOPPED)
        except psutil.Error:
            return False


def _start(log_file: Path) -> tuple[subprocess.Popen[bytes], bool]:
    """Start a worker, and return it and whether it has a log."""
    output = _open_log(log_file)
    # Spinning threads would starve the window of CPU time. Code in the current folder is not run.
    environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE", "PYTHONSAFEPATH": "1"}
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "napari_pixcell.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if output is None else output,
            env=environment,
        )
    except OSError as error:
        raise PixCellError(
            f"The worker process cannot be started ({error.strerror}). Close other programs and "
            "try again."
        ) from error
    finally:
        if output is not None:
            output.close()
    return process, output is not None


def _open_log(path: Path) -> IO[bytes] | None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():  # opening a pipe would wait forever
            raise OSError("not a file")
        if path.exists() and path.stat().st_size > MOST_LOG_BYTES:
            path.replace(path.with_suffix(".old.log"))
        return path.open("ab")
    except OSError as error:
        log.warning("the worker runs without its log %s (%s)", path, error)
        return None


def _stream(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream
