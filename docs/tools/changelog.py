"""The changelog as a page of the site."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]


def markdown() -> str:
    """Return ``CHANGELOG.md`` without its title, with links relative to ``docs``."""
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    _title, _, rest = text.partition("\n")
    return rest.strip().replace("](docs/", "](")
