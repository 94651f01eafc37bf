"""Collects the content of a report, and writes it as HTML."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell import __version__
from napari_pixcell.datasets.export import write_problem
from napari_pixcell.datasets.processes import Processes
from napari_pixcell.datasets.report.charts import histogram, scatter
from napari_pixcell.datasets.report.sheets import examples
from napari_pixcell.datasets.report.sources import (
    SourceCounts,
    full_texts,
    known_family,
    licences,
    references,
)
from napari_pixcell.datasets.report.tissue import (
    TissueComparison,
    compare_with_tissue,
    figures,
    part_rows,
)
from napari_pixcell.datasets.store.checks import BAD_WHEN_HIGH, FLAGS, SCORES
from napari_pixcell.datasets.store.completeness import checks_copies
from napari_pixcell.datasets.store.dataset import Dataset, Description
from napari_pixcell.datasets.store.decisions import are_used, decided, now
from napari_pixcell.datasets.store.parts import part_paths
from napari_pixcell.datasets.store.plan import PAIRINGS
from napari_pixcell.datasets.store.table import PairTable
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import write_whole
from napari_pixcell.words import counted

OnProgress = Callable[[int, int], None]
Facts = list[tuple[str, str]]  # names and values; those without a value are not shown
TEMPLATES = Path(__file__).parent / "templates"
MARK = (
    "SYNTHETIC images, made by a generative model: not real tissue. For research use "
    "only, not for diagnosis."
)


def write_report(
    dataset: Dataset,
    path: Path | str,
    on_progress: OnProgress = lambda done, total: None,
    tissue: TissueComparison | None = None,
    pairs: PairTable | None = None,
    processes: Processes | None = None,
) -> Path:
    """Write one self-contained HTML page about a dataset, and return its path.

    Parameters
    ----------
    dataset : Dataset
        Read only; it may be unfinished.
    path : Path
    on_progress : callable
        Called with the number of scores finished and of all. An exception ends the work.
    tissue : TissueComparison, optional
        What :func:`compare_with_tissue` returned, if it is known already.
    pairs : PairTable, optional
        All pairs of the dataset, if they are read already.
    processes : Processes, optional
        Read the rows of many pairs.

    Raises
    ------
    PixCellError
        If there is no pair yet, or the page cannot be written.
    """
    path, description = Path(path), dataset.description
    pairs = PairTable(dataset, processes) if pairs is None else pairs
    if not len(pairs):
        raise PixCellError(
            f"The dataset {dataset.folder.name} has no pair to report on yet. Resume it first."
        )
    sources = SourceCounts(dataset)
    html = render(
        "report.html",
        name=description.name,
        mark=" ".join(filter(None, (MARK, _sentence(description.notice)))),
        summary=_summary(description, pairs),
        counts=_counts(dataset, pairs, sources),
        scores=list(_scores(dataset, pairs, on_progress)),
        cells=_cells(pairs),
        tissue=_tissue(tissue or compare_with_tissue(dataset, pairs, processes), description),
        styles=sources.list_styles(pairs),
        layouts=sources.list_layouts(pairs),
        settings=_settings(description),
        models=_models(description),
        weights=_weights(description),
        licences=dict(licences(description, sources.methods)).items(),
        licence_texts=full_texts(description, sources.methods).items(),
        references=references(description, sources.methods),
        example=pairs.row(0)["image"],
        written=now(),
        version=__version__,
    )
    try:
        write_whole(path, html)
    except OSError as error:
        raise write_problem(path, error) from error
    on_progress(len(SCORES), len(SCORES))
    return path


def render(template: str, **values: Any) -> str:
    """Return a template filled with values, all of them escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)


def _sentence(words: str) -> str:
    return f"{words.rstrip('.')}." if words else ""


def _summary(one: Description, pairs: PairTable) -> str:
    height, width = one.size
    family = known_family(one.family)
    noun = "images with masks of their cells" if pairs.cells.max() >= 0 else "images without masks"
    return (
        f"{len(pairs):,} {noun}, of {width} × {height} px at {one.mpp:g} µm/px "
        f"({width * one.mpp:g} × {height * one.mpp:g} µm), made with "
        f"{family.title if family is not None else one.family}."
    )


def _counts(dataset: Dataset, pairs: PairTable, sources: SourceCounts) -> Facts:
    decisions = decided(dataset.folder, len(dataset.unmatched_plan))[pairs.index]
    accepted, rejected = decisions > 0, decisions < 0
    used = are_used(pairs.flagged, decisions)
    planned = f" of {len(dataset.unmatched_plan):,} planned" if dataset.description.plan else ""
    cells = pairs.cells[pairs.cells >= 0].astype(np.int64)
    groups = f"{sources.layout_groups:,}" if sources.layouts else ""
    damaged, parts = sum(dataset.damaged.values()), len(part_paths(dataset.folder))
    return [
        ("Pairs made", f"{len(pairs):,}{planned}"),
        ("Rows left out because they are damaged", f"{damaged:,}" if damaged else ""),
        ("Parts of shards that are not joined yet", f"{parts:,}" if parts else ""),
        ("Not checked for copies of real tissue", _uncopied(dataset, pairs)),
        ("Flagged by a check, and set apart", _share(pairs.flagged)),
        *(
            (f"— {words}", _share(pairs.flag(flag)))
            for flag, words in FLAGS.items()
            if pairs.flag(flag).any()
        ),
        ("Accepted by a reviewer", _share(accepted)),
        ("Rejected by a reviewer", _share(rejected)),
        ("Exported: accepted, or neither flagged nor rejected", _share(used)),
        ("Styles", f"{sources.styles:,}"),
        ("Source slides and pictures of the styles", f"{sources.style_groups:,}"),
        ("Layouts", f"{sources.layouts:,}" if sources.layouts else "none"),
        ("Groups of layouts, such as variations of one", groups),
        ("Cells in the masks", f"{int(cells.sum()):,}" if len(cells) else ""),
    ]


def _uncopied(dataset: Dataset, pairs: PairTable) -> str:
    """Return the share of pairs that should have been compared with real tissue, but were not."""
    uncopied = np.isnan(pairs.score("copy_pixels")) & ~pairs.flag("failed")
    return _share(uncopied) if uncopied.any() and checks_copies(dataset) else ""


def _share(which: NDArray[np.bool_]) -> str:
    count = int(np.count_nonzero(which))
    return f"{count:,} ({100 * count / len(which):.1f} %)" if count else "0"


def _scores(
    dataset: Dataset, pairs: PairTable, on_progress: OnProgress
) -> Iterator[dict[str, Any]]:
    checks = dataset.description.checks
    for number, (score, meaning) in enumerate(SCORES.items()):
        on_progress(number, len(SCORES))
        values = pairs.score(score)
        values = values[np.isfinite(values)]
        if not len(values):
            continue
        limit = checks.limit(score)
        low, middle, high = np.percentile(values, (5, 50, 95))
        words = (
            f"{len(values):,} pairs: median {middle:.3g}, 90 % of them from {low:.3g} to "
            f"{high:.3g}."
        )
        if limit is not None:
            beyond = int(np.count_nonzero(limit.beyond(values)))
            words += f" {f'{beyond:,} are not' if beyond else 'All are'} {limit.words}."
        low_is_good = score in BAD_WHEN_HIGH
        yield {
            "title": f"{meaning[0].upper()}{meaning[1:]}",
            "name": score,
            "words": words,
            "chart": histogram(values, f"Histogram of {score} over all pairs", limit),
            "examples": list(examples(dataset, pairs, score, low_is_good)),
        }


def _cells(pairs: PairTable) -> dict[str, Any] | None:
    cells = pairs.cells[pairs.cells >= 0]
    if not len(cells):
        return None
    words = (
        f"From {cells.min():,} to {cells.max():,} cells per mask, median {int(np.median(cells)):,}."
    )
    return {"words": words, "chart": histogram(cells, "Histogram of cells per mask")}


def _tissue(found: TissueComparison | None, description: Description) -> dict[str, Any] | None:
    if found is None:
        return None
    family, whole, chart = known_family(description.family), found.whole, None
    if found.points is not None:
        title = "Real tiles and pictures along the two main axes of the real tiles"
        chart = scatter(*found.points, ("real tile", "picture"), title)
    words = ""
    if whole is not None:
        words = (
            f"{whole.pictures:,} pictures that are exported were compared with {whole.real:,} real "
            f"tiles of their styles, by the embeddings of "
            f"{family.title if family is not None else description.family}. Each figure compares "
            f"{whole.compared:,} pictures with as many real tiles. The column “Real tiles” "
            "compares real tiles with each other, which is the best that can be reached."
        )
    return {
        "notes": found.notes,
        "words": words,
        "figures": figures(whole) if whole is not None else [],
        "chart": chart,
        "caption": "Real tiles and pictures along the two directions in which the real tiles "
        "differ most. Dots away from the rings look like no real tile; rings without dots are "
        "tissue that the pictures lack.",
        "part": found.part,
        "parts": part_rows(found.parts),
    }


def _settings(one: Description) -> Facts:
    plan, how, checks = one.plan or {}, one.settings, one.checks
    limits = {score.replace("_", " "): checks.limit(score) for score in SCORES}
    thresholds = [f"{name} {limit.words}" for name, limit in limits.items() if limit]
    until = f"the first {100 * how.layout_until:.0f} % of the steps"
    return [
        ("Pairing", PAIRINGS.get(plan.get("pairing", ""), "")),
        ("Seeds for each combination", f"{plan['seeds']:,}" if plan else ""),
        ("Candidates for each pair", _candidates(plan.get("candidates", 1))),
        ("First seed", f"{plan['first_seed']}" if plan else ""),
        ("Denoising steps", f"{how.steps}"),
        ("Guidance scale", f"{how.guidance:g}"),
        ("Layout strength", f"{how.layout_strength:g}"),
        ("Layout acts in", until if how.layout_until < 1 else "all steps"),
        ("Preset", how.preset),
        ("Thresholds of the checks", ", ".join(thresholds) or "none"),
        ("Cells in the images segmented by", checks.segmenter.words),
        *_repair(one),
        ("Files", f"{one.picture.upper()}, masks as TIFF"),
        ("Created", one.created),
        ("ID", one.id),
    ]


def _candidates(count: int) -> str:
    return f"{count}, of which the best is kept" if count > 1 else ""


def _repair(one: Description) -> Facts:
    words = []
    if one.repair is not None:
        words.append(f"in up to {counted(one.repair.rounds, 'round')}")
    if one.drop_wrong:
        words.append("those that stay wrong are dropped from the masks")
    return [("Repair of nuclei", "; ".join(words))] if words else []


def _models(one: Description) -> Facts:
    versions = ", ".join(f"{name} {version}" for name, version in sorted(one.versions.items()))
    return [("Family", one.family), ("Versions", versions), ("Computed on", one.device)]


def _weights(one: Description) -> list[tuple[str, str, str]]:
    family = known_family(one.family)
    repositories: dict[str, str] = {}
    if family is not None:
        repositories = {part.kind: part.hub_id for part in family.parts}
    weights = [
        (kind, repositories.get(kind, "") or "bundled", sha256)
        for kind, sha256 in sorted(one.weights.items())
    ]
    if one.segmenter.get("sha256"):
        weights.append(("segmenter", one.segmenter.get("model", ""), one.segmenter["sha256"]))
    return weights
