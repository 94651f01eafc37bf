"""How public names stay: their names, and warnings of those that are about to go.

What is listed in ``napari_pixcell.__all__`` is public. A public name or parameter that is to change
keeps working for at least one minor release, and warns with its successor.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)


def public(name: str) -> Callable[[C], C]:
    """Return a decorator of a class that users know by a name which is taken in the package."""

    def rename(cls: C) -> C:
        cls.__name__ = cls.__qualname__ = name
        cls.__module__ = "napari_pixcell"  # where pickle and users find it
        return cls

    return rename


def warn_deprecated(name: str, since: str, use: str, depth: int = 2) -> None:
    """Warn the caller, ``depth`` calls up, that a public name goes in a later release."""
    warnings.warn(
        f"{name} is deprecated since napari-pixcell {since}, and goes in a later release. Use "
        f"{use} instead.",
        DeprecationWarning,
        stacklevel=depth + 1,
    )


def deprecated(since: str, use: str) -> Callable[[F], F]:
    """Return a decorator of a public function that still works, and warns where it is called.

    Parameters
    ----------
    since : str
        Release in which it was deprecated.
    use : str
        What replaces it.
    """

    def wrap(function: F) -> F:
        @functools.wraps(function)
        def warning(*args: Any, **named: Any) -> Any:
            warn_deprecated(f"{function.__qualname__}()", since, use)
            return function(*args, **named)

        return warning  # type: ignore[return-value]

    return wrap


def with_moved(
    find: Callable[[str], Any], moved: Mapping[str, tuple[str, str]]
) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a module whose former names still work, and warn.

    Parameters
    ----------
    find : callable
        Returns the object of a name, or raises AttributeError.
    moved : mapping of str to (str, str)
        Present name of each former one, and the release that renamed it.
    """

    def find_or_warn(name: str) -> Any:
        if name not in moved:
            return find(name)
        use, since = moved[name]
        warn_deprecated(name, since, use)
        return find(use)

    return find_or_warn
