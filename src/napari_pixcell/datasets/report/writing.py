"""What a report says, section by section."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from napari_pixcell import __version__
from napari_pixcell.datasets.checks import FLAGS, SCORES, Checks
from napari_pixcell.datasets.recipe.plan import PAIRINGS
from napari_pixcell.datasets.report.charts import Limit, histogram
from napari_pixcell.datasets.report.citing import (
    full_texts,
    known_family,
    licences,
    references,
)
from napari_pixcell.datasets.report.examples import examples
from napari_pixcell.datasets.report.markup import Markup, element, facts, section, table
from napari_pixcell.datasets.report.page import page
from napari_pixcell.datasets.report.sources import Parts
from napari_pixcell.datasets.store.dataset import Dataset, now
from napari_pixcell.datasets.store.decisions import read_decisions
from napari_pixcell.datasets.store.table import PairTable
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import write_whole

OnProgress = Callable[[int, int], None]
MARK = (
    "SYNTHETIC images, made by a generative model: not real tissue. For research use "
    "only, not for diagnosis."
)


def write_report(
    dataset: Dataset,
    path: Path | str,
    on_progress: OnProgress = lambda done, total: None,
) -> Path:
    """Write one self-contained HTML page about a dataset.

    Parameters
    ----------
    dataset : Dataset
        Only read; it may be unfinished.
    path : Path
        Of the page; written whole or not at all.
    on_progress : callable
        Called with how many scores are told, and of how many; what it raises ends the work.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    PixCellError
        If there is no pair yet, or the page cannot be written.
    """
    path, description = Path(path), dataset.description
    pairs = PairTable(dataset)
    if not len(pairs):
        raise PixCellError(
            f"The dataset {dataset.folder.name} has no pair to report on yet; resume it first."
        )
    parts = Parts(dataset)
    scored = list(_scores(dataset, pairs, on_progress))
    html = page(
        f"{description.name}: synthetic dataset",
        element("h1", description.name),
        element("p", " ".join(filter(None, (MARK, _sentence(description.notice)))), class_="mark"),
        element("p", _summary(dataset, pairs)),
        _counts(dataset, pairs, parts),
        *([section("Scores", element("p", SCORE_WORDS, class_="soft"), *scored)] if scored else []),
        _cells(pairs),
        section("Styles", *parts.styles(pairs)),
        *([section("Layouts", *parts.layouts(pairs))] if parts.layout_count else []),
        _settings(dataset),
        _models(dataset),
        _licences(dataset, parts),
        _citation(dataset, parts),
        _again(pairs),
        element("p", f"Written {now()} by napari-pixcell {__version__}.", class_="soft"),
    )
    try:
        write_whole(path, html.encode())
    except OSError as error:
        raise PixCellError(
            f"{path.name} cannot be written ({error.strerror}); choose another folder."
        ) from error
    on_progress(len(SCORES), len(SCORES))
    return path


SCORE_WORDS = (
    "Bars beyond a threshold are orange. Best, median and worst are by that score alone; yellow "
    "lines are the outlines of the mask."
)


def _sentence(words: str) -> str:
    return f"{words.rstrip('.')}." if words else ""


def _summary(dataset: Dataset, pairs: PairTable) -> str:
    one = dataset.description
    height, width = one.size
    family = known_family(one.family)
    what = "images with masks of their cells" if pairs.cells.max() >= 0 else "images without masks"
    return (
        f"{len(pairs):,} {what}, of {width} × {height} px at {one.mpp:g} µm/px "
        f"({width * one.mpp:g} × {height * one.mpp:g} µm), made with "
        f"{family.title if family is not None else one.family}."
    )


def _counts(dataset: Dataset, pairs: PairTable, parts: Parts) -> Markup:
    decisions = read_decisions(dataset.folder)
    words = [decisions.get(index) for index in pairs.index.tolist()]
    accepted = np.array([word == "accepted" for word in words])
    rejected = np.array([word == "rejected" for word in words])
    used = (~pairs.flagged | accepted) & ~rejected
    planned = f" of {len(dataset.plan):,} planned" if dataset.description.plan else ""
    cells = pairs.cells[pairs.cells >= 0].astype(np.int64)
    flagged = [
        (f"— {words}", _share(pairs.flag(flag)))
        for flag, words in FLAGS.items()
        if pairs.flag(flag).any()
    ]
    rows = [
        ("Pairs made", f"{len(pairs):,}{planned}"),
        ("Flagged by a check, and kept apart", _share(pairs.flagged)),
        *flagged,
        ("Accepted by a person", _share(accepted)),
        ("Rejected by a person", _share(rejected)),
        ("Used in exports: not flagged or accepted, not rejected", _share(used)),
        ("Styles", f"{parts.style_count:,}"),
        ("Slides and pictures that they are of", f"{parts.style_groups:,}"),
        ("Layouts", f"{parts.layout_count:,}" if parts.layout_count else "none"),
        (
            "Groups of layouts, such as variations of one",
            f"{parts.layout_groups:,}" if parts.layout_count else "",
        ),
        ("Cells in the masks", f"{int(cells.sum()):,}" if len(cells) else ""),
    ]
    return section("Counts", facts(rows))


def _share(which: np.ndarray) -> str:
    count = int(np.count_nonzero(which))
    return f"{count:,} ({100 * count / len(which):.1f} %)" if count else "0"


def limit_of(checks: Checks, score: str) -> Limit | None:
    """Give the threshold of a score, if it has one that is switched on."""
    for kind in ("least", "most"):
        value = getattr(checks, f"{kind}_{score}", None)
        if value is not None:
            return Limit(float(value), kind == "least")
    return None


def _scores(dataset: Dataset, pairs: PairTable, on_progress: OnProgress) -> Iterator[Markup]:
    checks = dataset.description.checks
    for number, (score, meaning) in enumerate(SCORES.items()):
        on_progress(number, len(SCORES))
        values = pairs.score(score)
        values = values[np.isfinite(values)]
        if not len(values):
            continue
        limit = limit_of(checks, score)
        low, middle, high = np.percentile(values, (5, 50, 95))
        words = (
            f"{len(values):,} pairs: median {middle:.3g}, 90 % of them from {low:.3g} to "
            f"{high:.3g}."
        )
        if limit is not None:
            beyond = int(np.count_nonzero(limit.beyond(values)))
            words += f" {f'{beyond:,} are not' if beyond else 'All are'} {limit.words}."
        low_is_good = hasattr(checks, f"most_{score}")
        yield element(
            "div",
            element("h3", f"{meaning[0].upper()}{meaning[1:]} ", element("code", score)),
            element("p", words),
            histogram(values, f"How many pairs have which {score}", limit),
            examples(dataset, pairs, score, low_is_good),
            class_="score",
        )


def _cells(pairs: PairTable) -> Markup:
    cells = pairs.cells[pairs.cells >= 0]
    if not len(cells):
        return Markup("")
    words = (
        f"From {cells.min():,} to {cells.max():,} cells in a mask, {int(np.median(cells)):,} in "
        "the middle."
    )
    chart = histogram(cells, "How many masks have how many cells")
    return section("Cells in each mask", element("p", words), chart)


def _settings(dataset: Dataset) -> Markup:
    one = dataset.description
    plan, how, checks = one.plan or {}, one.settings, one.checks
    limits = (limit_of(checks, score) for score in SCORES)
    named = zip(SCORES, limits, strict=True)
    rows = [
        ("Pairing", PAIRINGS.get(plan.get("pairing", ""), "")),
        ("Seeds for each combination", f"{plan['seeds']:,}" if plan else ""),
        ("First seed", f"{plan['first_seed']}" if plan else ""),
        ("Steps", f"{how.steps}"),
        ("Guidance", f"{how.guidance:g}"),
        ("Layout strength", f"{how.layout_strength:g}"),
        (
            "Layout acts in",
            f"the first {100 * how.layout_until:.0f} % of the steps"
            if how.layout_until < 1
            else "all steps",
        ),
        ("Preset", how.preset),
        (
            "Thresholds of the checks",
            ", ".join(f"{score.replace('_', ' ')} {limit.words}" for score, limit in named if limit)
            or "none",
        ),
        ("Cells in the images were looked for by", checks.segmenter.words),
        ("Files", f"{one.picture.upper()}, masks as TIFF"),
        ("Begun", one.created),
        ("Identity", one.id),
    ]
    return section("Settings", facts(rows))


def _models(dataset: Dataset) -> Markup:
    one = dataset.description
    family = known_family(one.family)
    where = {part.kind: part.hub_id for part in family.parts} if family is not None else {}
    weights = [
        (kind, where.get(kind, "") or "bundled", sha256)  # type: ignore[call-overload]
        for kind, sha256 in sorted(one.weights.items())
    ]
    if one.segmenter.get("sha256"):
        weights.append(("segmenter", one.segmenter.get("model", ""), one.segmenter["sha256"]))
    versions = ", ".join(f"{name} {version}" for name, version in sorted(one.versions.items()))
    shown = (
        [table(("Network", "Published as", "sha256 of the weights"), weights)] if weights else []
    )
    rows = [("Family", one.family), ("Versions", versions), ("Computed on", one.device)]
    return section("Models", facts(rows), *shown)


def _licences(dataset: Dataset, parts: Parts) -> Markup:
    one = dataset.description
    texts = [
        element("details", element("summary", f"Licence and card of {name}"), element("pre", text))
        for name, text in full_texts(one, parts.sources).items()
    ]
    words = "The terms of weights reach what is made with them; keep this list with the dataset."
    rows = facts(dict(licences(one, parts.sources)).items())
    return section("Licences", element("p", words), rows, *texts)


def _citation(dataset: Dataset, parts: Parts) -> Markup:
    cited = references(dataset.description, parts.sources)
    return section("How to cite", element("ul", *(element("li", text) for text in cited)))


def _again(pairs: PairTable) -> Markup:
    image = pairs.row(0)["image"]
    return section(
        "Make a pair again",
        element(
            "p",
            "Each image carries its record: style, layout, seed, settings and the hashes of the "
            "weights. The image file alone is enough; on the same kind of device, with the same "
            "versions, the pixels are the same:",
        ),
        element("pre", f"napari-pixcell rerun {image} --out again"),
    )
