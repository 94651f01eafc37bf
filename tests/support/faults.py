"""Faults of a disk at chosen calls: errors, kills and power cuts, the same on every run.

Calls that change files are counted: opening for writing, each write, fsync, rename, link and mkdir.
``for n in calls(work): …`` in a test goes through all of them::

    for number in range(count(work)):
        with failing(number, errno.ENOSPC):
            ...                                # work() must raise, and lose nothing
        killed(number, work)                   # a child process that ends there
        power_cut(number, work, folder, copy)  # ``copy`` holds only what was synced
"""

from __future__ import annotations

import io
import os
import signal
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

CHANGING = ("fsync", "replace", "rename", "link", "mkdir")
Work = Callable[[], Any]
_for_good: list[Any] = []  # what is watched until the process ends; collected, it would stop


class PowerCut(BaseException):
    """The machine went off."""


class _File(io.FileIO):
    """A file that counts its writes."""

    before: Callable[[], None]

    def write(self, data: Any) -> int:
        type(self).before()
        return super().write(data)


@contextmanager
def _watched(before: Callable[[], None], after: Callable[[str, Any], None]) -> Iterator[None]:
    """Call ``before()`` ahead of each change of a file, and ``after(name, first argument)``."""
    real = {name: getattr(os, name) for name in (*CHANGING, "open")}
    real_open, real_flush = io.open, np.memmap.flush
    kind = type("_Watched", (_File,), {"before": staticmethod(before)})

    def watch(name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            writes = name != "open" or arguments[1] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if writes:
                before()
            # Nothing is really synced: what would survive is known without it, and it takes long.
            result = real[name](*arguments, **named) if name != "fsync" else None
            if writes:
                after(name, arguments[0])
            return result

        return call

    def open_(file: Any, mode: str = "r", buffering: int = -1, *rest: Any, **named: Any) -> Any:
        if "b" not in mode or mode == "rb" or not isinstance(file, str | os.PathLike):
            return real_open(file, mode, buffering, *rest, **named)
        before()
        raw = kind(file, mode.replace("b", ""))
        return io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)

    def flush(array: Any) -> None:
        before()
        after("flush", array.filename)

    for name in real:
        setattr(os, name, watch(name))
    io.open, np.memmap.flush = open_, flush  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        for name, function in real.items():
            setattr(os, name, function)
        io.open, np.memmap.flush = real_open, real_flush  # type: ignore[method-assign]


def _at(number: int, act: Callable[[], None]) -> Callable[[], None]:
    calls = iter(range(10**9))

    def before() -> None:
        if next(calls) == number:
            act()

    return before


def count(work: Work) -> int:
    """Run ``work``, and return the number of its calls that change files."""
    calls = []
    with _watched(lambda: calls.append(1), lambda *_: None):
        work()
    return len(calls)


@contextmanager
def failing(number: int, error: int) -> Iterator[None]:
    """Let the call of this number, counted from 0, raise an OSError with this errno."""

    def fail() -> None:
        raise OSError(error, os.strerror(error))

    with _watched(_at(number, fail), lambda *_: None):
        yield


def killed(number: int, work: Work) -> bool:
    """Run ``work`` in a child that is killed at this call; return False if it came to its end.

    Not a line of Python runs in the child after that, as after a crash.
    """
    pid = os.fork()
    if not pid:
        try:
            with _watched(
                _at(number, lambda: os.kill(os.getpid(), signal.SIGKILL)), lambda *_: None
            ):
                work()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the child failed"
    return os.WIFSIGNALED(status)


class _Disk:
    """What a disk holds for certain: synced contents of files, and synced names in folders."""

    def __init__(self, root: Path) -> None:
        self.root, self.on = root, True
        self._contents: dict[int, bytes] = {}
        self._names: dict[int, dict[str, int]] = {}
        self._held: list[int] = []  # open files, so that no inode is used twice
        for folder, _, names in os.walk(root):
            self._keep_folder(Path(folder))
            for name in names:
                self.keep(Path(folder, name))

    def keep(self, path: Path) -> None:
        if self.on and path.exists() and path.is_relative_to(self.root):
            if path.is_dir():
                self._keep_folder(path)
            else:
                self._contents[self._inode(path)] = path.read_bytes()

    def _keep_folder(self, path: Path) -> None:
        self._names[self._inode(path)] = {p.name: self._inode(p) for p in path.iterdir()}

    def _inode(self, path: Path) -> int:
        handle = os.open(path, os.O_RDONLY)
        self._held.append(handle)
        return os.fstat(handle).st_ino

    def write(self, target: Path) -> None:
        """Write what is certain to another folder."""
        for handle in self._held:  # folders are known by what their inode is
            if stat.S_ISDIR(os.fstat(handle).st_mode):
                self._names.setdefault(os.fstat(handle).st_ino, {})
        self._write(self.root.stat().st_ino, target)
        for handle in self._held:
            os.close(handle)

    def _write(self, inode: int, target: Path) -> None:
        target.mkdir()
        for name, number in self._names[inode].items():
            if number in self._names:
                self._write(number, target / name)
            else:  # a file that was never synced is empty
                (target / name).write_bytes(self._contents.get(number, b""))


def power_cut(number: int, work: Work, root: Path, target: Path) -> bool:
    """Run ``work``, cut the power at this call, and write what survives of ``root`` to ``target``.

    Only what was synced survives: the content of a file since its last fsync, and the names in a
    folder since the fsync of the folder. Returns False if ``work`` came to its end.
    """
    disk = _Disk(root)

    def cut() -> None:
        disk.on = False
        raise PowerCut

    def after(name: str, what: Any) -> None:
        if name in ("fsync", "flush") and disk.on:
            disk.keep(Path(f"/proc/self/fd/{what}").readlink() if name == "fsync" else Path(what))

    try:
        with _watched(_at(number, cut), after):
            work()
    except PowerCut:
        pass
    cut_off, disk.on = not disk.on, False
    disk.write(target)
    return cut_off


def make_mortal(draw: Callable[[], bool], log: Path) -> None:
    """From now on, kill this process before a call that changes files if ``draw()`` says so.

    Each kill adds a byte to ``log``.
    """

    def before() -> None:
        if draw():
            handle = os.open(log, os.O_WRONLY | os.O_APPEND)
            real_write(handle, b"x")
            os.kill(os.getpid(), signal.SIGKILL)

    real_write = os.write
    log.touch()
    always = _watched(before, lambda *_: None)
    always.__enter__()
    _for_good.append(always)
