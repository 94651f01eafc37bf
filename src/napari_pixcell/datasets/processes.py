"""Spreads work over processes of this machine, and returns the answers in the order of the tasks.

Each process answers one task after another. Settings, tasks and answers are JSON values; an answer
may carry bytes. The functions are those that also run in this process if one core is to be used, so
that the answers do not depend on the number of cores.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import queue
import struct
import subprocess
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import IO, Any, NamedTuple, Self

from napari_pixcell.errors import PixCellError

MOST_WORKERS = 256
MOST_RETRIES = 3  # of a task whose process has ended
LINGERS = 10.0  # seconds that a killed process may take to leave
_LENGTHS = struct.Struct(">QQ")  # of the JSON value and of the bytes of a message
_CODE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from napari_pixcell.datasets.processes import serve; serve()"
)
# One task uses one core, and no thread spins while it waits.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Answer(NamedTuple):
    """What a task came to: a JSON value, and bytes."""

    value: Any = None
    data: bytes = b""


Work = Callable[[Any], Answer]  # does a task
Begin = Callable[[Any], Work]  # a function of a module; returns the work for some settings


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def worker_count(wanted: int | None) -> int:
    """Return a number of processes that a user chose; all usable cores if it is None.

    Raises
    ------
    PixCellError
        If it is out of range.
    """
    if wanted is None:
        return min(usable_cores(), MOST_WORKERS)
    if not 1 <= wanted <= MOST_WORKERS:
        raise PixCellError(f"--workers is {wanted}. Choose a number from 1 to {MOST_WORKERS}.")
    return wanted


class Processes:
    """Processes that share work. They start when they are needed, and end with the ``with`` block.

    A block may be entered again within another; the processes end with either.

    Parameters
    ----------
    count : int
        With 1, all work is done in this process.
    """

    def __init__(self, count: int = 1) -> None:
        self.count = count
        self._idle: queue.LifoQueue[TaskProcess] = queue.LifoQueue()
        self._all: set[TaskProcess] = set()
        self._lock = threading.Lock()
        self._round = 0  # number of endings so far

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._round += 1
            ended, self._all = self._all, set()
        for process in ended:
            process.kill()
        for process in ended:
            process.wait()
        with suppress(queue.Empty):
            while True:
                self._idle.get_nowait()

    def map(self, begin: Begin, settings: Any, tasks: Iterable[Any]) -> Generator[Answer]:
        """Iterate over the answers to tasks, in their order.

        Memory holds the answers to a few tasks at most, whatever their number.

        Parameters
        ----------
        begin : callable
            A function of a module. It is called with the settings, once in each process, and
            returns the function that does a task.
        settings, tasks
            JSON values.

        Raises
        ------
        PixCellError
            If a task does, or if a process ends again and again during one.
        OSError
            If a task does.
        """
        tasks = iter(tasks)
        first = list(itertools.islice(tasks, 2))
        if self.count == 1 or len(first) < 2:
            yield from map(begin(settings), itertools.chain(first, tasks))
            return
        job = {"begin": [begin.__module__, begin.__qualname__], "settings": settings}
        waiting: deque[Future[Answer]] = deque()
        with ThreadPoolExecutor(self.count) as threads:  # each waits for one process
            try:
                for task in itertools.chain(first, tasks):
                    waiting.append(threads.submit(self._answer, self._round, job, task))
                    if len(waiting) == 2 * self.count:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            except BaseException:
                for future in waiting:
                    future.cancel()
                self.__exit__()  # nothing is written any more once this is left
                raise

    def _answer(self, round_: int, job: dict[str, Any], task: Any) -> Answer:
        """Let a process do a task; do it again in another one if that ends."""
        how = ""
        for _ in range(1 + MOST_RETRIES):
            process = self._process(round_)
            answer = process.ask(job, task)
            if answer is not None:
                self._idle.put(process)
                return _checked(answer)
            how = process.wait()
            with self._lock:
                self._all.discard(process)
        raise PixCellError(
            f"A task was given up after {1 + MOST_RETRIES} attempts: {how}. Free some memory, or "
            "run the command again with fewer --workers."
        )

    def _process(self, round_: int) -> TaskProcess:
        with suppress(queue.Empty):
            return self._idle.get_nowait()
        with self._lock:
            if round_ != self._round:  # the block was left
                raise PixCellError("Cancelled.")
            process = TaskProcess()
            self._all.add(process)
        return process


def _checked(answer: Answer) -> Answer:
    """Return an answer, or raise what its task raised."""
    match answer.value:
        case {"problem": str(message)}:
            raise PixCellError(message)
        case {"errno": int() as number, "strerror": str(words)}:
            raise OSError(number, words)
        case {"bug": str(text)}:
            raise RuntimeError(f"A worker process failed:\n{text}")
    return Answer(answer.value["answer"], answer.data)


class TaskProcess:
    """A process, from the side of the one that started it."""

    def __init__(self) -> None:
        self._job: dict[str, Any] | None = None
        command = [sys.executable, "-P", "-c", _CODE, json.dumps(sys.path)]
        # In a session of its own: Ctrl+C reaches only the process that decides what it means.
        try:
            self._popen = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=os.environ | _ONE_THREAD,
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise PixCellError(
                f"A worker process cannot be started ({error.strerror}). Close other programs, or "
                "choose fewer with --workers."
            ) from error

    def ask(self, job: dict[str, Any], task: Any) -> Answer | None:
        """Return the answer to a task; None if the process has ended."""
        assert self._popen.stdin is not None and self._popen.stdout is not None
        try:
            if job is not self._job:
                _write(self._popen.stdin, job)
                self._job = job
            _write(self._popen.stdin, {"task": task})
            return _read(self._popen.stdout)
        except (OSError, ValueError):  # its pipe is broken or closed
            return None

    def kill(self) -> None:
        """End the process at once."""
        self._popen.kill()

    def wait(self) -> str:
        """Wait until the process has ended, which is killed if it lingers; return how."""
        try:
            code = self._popen.wait(LINGERS)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            code = self._popen.wait()
        for pipe in (self._popen.stdin, self._popen.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()
        if code >= 0:
            return f"its process ended with exit code {code}"
        memory = ", perhaps for lack of memory" if code == -9 else ""
        return f"its process was killed (signal {-code}){memory}"


def _write(pipe: IO[bytes], value: Any, data: bytes = b"") -> None:
    text = json.dumps(value).encode()
    pipe.write(_LENGTHS.pack(len(text), len(data)) + text)
    if data:
        pipe.write(data)
    pipe.flush()


def _read(pipe: IO[bytes]) -> Answer | None:
    """Return the next message; None at the end."""
    head = pipe.read(_LENGTHS.size)
    if len(head) < _LENGTHS.size:
        return None
    text_length, length = _LENGTHS.unpack(head)
    text, data = pipe.read(text_length), pipe.read(length) if length else b""
    if len(text) < text_length or len(data) < length:
        return None
    return Answer(json.loads(text), data)


# -- in the process -------------------------------------------------------------------------


def serve() -> None:
    """Answer the tasks of the process that started this one, until it ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not mix with the answers
    messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(messages,), daemon=True).start()
    work: Work | None = None
    job: dict[str, Any] = {}
    while True:
        message, data = messages.get(), b""
        if "begin" in message:
            job, work = message, None
            continue
        try:
            if work is None:
                module, name = job["begin"]
                work = getattr(importlib.import_module(module), name)(job["settings"])
            value, data = work(message["task"])
            answer: dict[str, Any] = {"answer": value}
        except PixCellError as error:
            answer = {"problem": str(error)}
        except OSError as error:
            answer = {"errno": error.errno or 0, "strerror": error.strerror or str(error)}
        except Exception:
            answer = {"bug": traceback.format_exc()}
        with suppress(OSError):
            _write(answers, answer, data)


def _receive(messages: queue.SimpleQueue[Any]) -> None:
    """Pass messages on, and end this process with the one that started it, whatever it does."""
    with suppress(OSError):
        while (message := _read(sys.stdin.buffer)) is not None:
            messages.put(message.value)
    os._exit(0)
