"""The description in our label images: what they are, and the class of each cell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from napari_pixcell.cells.reading.limits import LAYOUT_MARK


def describe_labels(classes: Mapping[int, str], about: str = "") -> str:
    """Return the description of a label image, as JSON.

    Parameters
    ----------
    classes : mapping
        Class name of each label that has one.
    about : str
        Further words, for people.
    """
    names = {str(number): name for number, name in classes.items()}
    value = {"type": LAYOUT_MARK, "classes": names}
    return json.dumps(value | ({"about": about} if about else {}))


def described_classes(description: Any) -> dict[int, str]:
    """Return the class names in a description; empty if it has none."""
    try:
        classes = json.loads(description)["classes"]
        return {
            int(number): str(name) for number, name in classes.items() if abs(int(number)) < 2**31
        }
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        return {}
