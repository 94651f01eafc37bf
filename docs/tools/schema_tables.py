"""Tables of the objects of a JSON Schema, with the words of the docstrings of their classes."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

HEAD = "| key | value | default | meaning |\n| --- | --- | --- | --- |"
ROLE = re.compile(r":\w+:`~?([^`]+)`")


def parameters(cls: type) -> dict[str, str]:
    """Return what the numpy docstring of a class says of each parameter, as Markdown."""
    text = inspect.cleandoc(cls.__doc__ or "")
    _, _, rest = text.partition("Parameters\n----------\n")
    section = re.split(r"\n\n\w+\n-+\n", rest)[0]
    found: dict[str, str] = {}
    names: list[str] = []
    for line in section.splitlines():
        if line and not line.startswith(" "):
            names = line.partition(" : ")[0].split(", ")
        else:
            for name in names:
                found[name] = f"{found.get(name, '')} {line.strip()}".strip()
    return {name: as_markdown(words) for name, words in found.items()}


def as_markdown(words: str) -> str:
    """Return text of a docstring without its roles of Sphinx, with code in single backticks."""
    words = ROLE.sub(lambda found: f"`{found[1].rpartition('.')[2]}`", words)
    return words.replace("``", "`").replace("|", "\\|")


def summary(cls: type) -> str:
    """Return the first paragraph of a docstring."""
    return as_markdown(" ".join(inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0].split()))


def value_words(schema: Mapping[str, Any], anchors: Mapping[str, str]) -> str:
    """Return the type and the limits of a value in words.

    Parameters
    ----------
    schema : mapping
        A part of a JSON Schema.
    anchors : mapping
        Markdown for each definition that it may refer to.
    """
    if "$ref" in schema:
        return anchors[schema["$ref"].rpartition("/")[2]]
    if "discriminator" in schema:  # one of many kinds, such as RegionStyle, SlideStyle, …
        noun = re.split("(?=[A-Z])", schema["oneOf"][0]["$ref"])[-1].lower()
        return f"[{noun}](#{noun}s)"
    for several in ("anyOf", "oneOf"):
        if several in schema:
            parts = dict.fromkeys(value_words(part, anchors) for part in schema[several])
            return " or ".join(parts)
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    kind = schema.get("type", "object")
    if kind == "array":
        return _list_words(schema, anchors)
    words = {"integer": "whole number", "string": "text", "boolean": "true or false"}.get(
        kind, kind
    )
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f"{words}, {low:,g} to {high:,.10g}"
    return words if low is None else f"{words}, at least {low:,g}"


def _list_words(schema: Mapping[str, Any], anchors: Mapping[str, str]) -> str:
    if "prefixItems" in schema:
        each = [value_words(part, anchors) for part in schema["prefixItems"]]
        if len(set(each)) == 1:
            return f"{len(each)} of: {each[0]}"
        return f"list of {', '.join(each)}"
    inner = value_words(schema.get("items", {}), anchors)
    least, most = schema.get("minItems"), schema.get("maxItems")
    return f"{least} of: {inner}" if least == most and least else f"list of {inner}"


def table(
    schema: Mapping[str, Any],
    words: Mapping[str, str],
    anchors: Mapping[str, str],
    without: Iterable[str] = (),
) -> str:
    """Return a table of the keys of an object.

    Parameters
    ----------
    schema : mapping
        The object's JSON Schema.
    words : mapping
        What each key means.
    anchors : mapping
        See :func:`value_words`.
    without : iterable of str
        Keys to leave out.
    """
    rows = [HEAD]
    for name, part in schema.get("properties", {}).items():
        if name in without:
            continue
        default = "required" if name in schema.get("required", ()) else ""
        if part.get("default") is not None:
            default = f"`{json.dumps(part['default'], ensure_ascii=False)}`"
        meaning = words.get(name) or part.get("description", "")
        cells = f"`{name}`", value_words(part, anchors), default, meaning
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)
