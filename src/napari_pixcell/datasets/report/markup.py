"""HTML and SVG out of small functions: whatever is not markup itself is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

VOID = ("img", "meta")


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(name: str, /, *inner: str, **attributes: object) -> Markup:
    """Give an element.

    Parameters
    ----------
    name : str
        Of the element.
    *inner : str
        What is in it; escaped, but for :class:`Markup`.
    **attributes
        Escaped; an underscore becomes a hyphen, and one at the end is left out (``class_``).
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
    )
    if name in VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{join(inner)}</{name}>")


def join(parts: Iterable[str]) -> Markup:
    """Put parts after one another; escaped, but for :class:`Markup`."""
    return Markup("".join(part if isinstance(part, Markup) else escape(part) for part in parts))


def section(title: str, *inner: str) -> Markup:
    """Give a section with its heading."""
    return element("section", element("h2", title), *inner)


def facts(rows: Iterable[tuple[str, str]]) -> Markup:
    """Give a table of names and what they are; a row without a value is left out."""
    lines = [
        element("tr", element("th", name, scope="row"), element("td", value))
        for name, value in rows
        if value
    ]
    return element("table", element("tbody", *lines), class_="facts")


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Markup:
    """Give a table with a heading for each column."""
    top = element("tr", *(element("th", name, scope="col") for name in head))
    body = (element("tr", *(element("td", value) for value in row)) for row in rows)
    return element("table", element("thead", top), element("tbody", *body))
