"""Links of all Markdown files lead to files and headings that exist."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = "docs", "src", "benchmarks", "training", "sample_data", "tests"
SITE = "https://github.com/napari-pixcell/napari-pixcell"
README_BYTES = 6 * 1024
MOVING_BYTES = 2_000_000

LINK = re.compile(
    r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|^\[[^\]]+\]:\s*(\S+)", re.M
)
HTML = re.compile(r"<(?:img|a)\b[^>]*?\s(?:src|href)=\"([^\"]+)\"")
FENCE = re.compile(r"^( *)(```+|~~~+).*?^\1\2 *$", re.M | re.S)
CODE = re.compile(r"`[^`\n]*`")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.M)
ANCHOR = re.compile(r"\{[^}]*#([\w-]+)[^}]*\}|<a\s+(?:id|name)=\"([^\"]+)\"")


@cache
def pages() -> tuple[Path, ...]:
    """Return the Markdown files of the repository, without those that git ignores."""
    tops = (path for path in ROOT.glob("*.md"))
    inner = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md"))
    return tuple(sorted(path for path in (*tops, *inner) if not generated(path)))


def generated(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    return any(part in ("runs", "utility-runs", "node_modules") for part in parts)


def links(text: str) -> list[str]:
    """Return the targets of the links of a page, without those in code."""
    prose = CODE.sub("", FENCE.sub("", text))
    found = [one or other for one, other in LINK.findall(prose)]
    return found + HTML.findall(prose)


@cache
def anchors(path: Path) -> frozenset[str]:
    """Return the anchors of a page, as GitHub and the site make them from headings."""
    text = FENCE.sub("", path.read_text("utf-8"))
    names: set[str] = {one or other for one, other in ANCHOR.findall(text)}
    for heading in HEADING.findall(text):
        plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        plain = unicodedata.normalize("NFC", re.sub(r"[*`]", "", plain)).lower()
        name = re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-")
        count = sum(1 for known in names if re.fullmatch(rf"{re.escape(name)}(-\d+)?", known))
        names.add(f"{name}-{count}" if count else name)
    return frozenset(names)


def problems(page: Path, text: str) -> Iterator[str]:
    """Iterate over the links of a page that lead nowhere."""
    for link in links(text):
        target, _, anchor = link.partition("#")
        own = re.fullmatch(rf"{SITE}/(?:blob|raw|tree)/main/(.+)", target)
        if own:
            path = ROOT / own[1]
        elif re.match(r"[a-z][a-z+.-]*:", target):
            continue
        else:
            path = (page.parent / target).resolve() if target else page
        if not path.exists():
            yield f"{link}: no such file"
        elif anchor and path.suffix == ".md" and anchor not in anchors(path):
            yield f"{link}: no such heading"


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert not list(problems(page, page.read_text("utf-8")))


def test_links_of_the_site_stay_in_it() -> None:
    outside = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in pages()
        if page.is_relative_to(ROOT / "docs")
        for link in links(page.read_text("utf-8"))
        if not re.match(r"[a-z][a-z+.-]*:|#", link)
        and not (page.parent / link.partition("#")[0]).resolve().is_relative_to(ROOT / "docs")
    ]
    assert not outside, "the built site has no such files: name them by their address"


def test_links_that_lead_nowhere_are_found() -> None:
    text = "[a](missing.md) [b](README.md#no-heading) [c](#nowhere) ![d](docs/no.png)"
    text += f" [e]({SITE}/blob/main/missing.py) `[f](code.md)` [g](README.md)"
    assert len(list(problems(ROOT / "README.md", text))) == 5


def test_each_page_is_in_the_navigation() -> None:
    named = set(re.findall(r"([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.M))
    there = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    assert named == there


def test_pictures_of_the_readme_show_on_package_indexes() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    pictures = re.findall(r"!\[[^\]]*\]\(([^)\s]+)", text) + re.findall(
        r"<img[^>]*src=\"([^\"]+)", text
    )
    assert pictures
    for picture in pictures:
        assert picture.startswith(f"{SITE}/raw/main/"), f"{picture} is not an absolute address"
        assert (ROOT / picture.removeprefix(f"{SITE}/raw/main/")).is_file()
    relative = [link for link in links(text) if not re.match(r"[a-z]+:|#", link)]
    assert not relative, "package indexes show the README without the repository"


def test_the_readme_is_read_in_a_minute() -> None:
    assert len((ROOT / "README.md").read_bytes()) <= README_BYTES


def test_the_moving_picture_loads_quickly() -> None:
    assert (ROOT / "docs" / "pictures" / "moving.gif").stat().st_size < MOVING_BYTES


def test_documents_that_the_program_names_exist() -> None:
    for path in (ROOT / "src").rglob("*.py"):
        for name in re.findall(r"docs/[\w/-]+\.(?:md|json)", path.read_text("utf-8")):
            assert (ROOT / name).is_file(), f"{path.relative_to(ROOT)} names {name}"
