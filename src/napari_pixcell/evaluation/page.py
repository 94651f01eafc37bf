"""The HTML page of an evaluation, written from its record. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_pixcell.datasets.report.writing import Facts, render
from napari_pixcell.evaluation.arms import ARMS, BATCH, CONTROLS, schedule
from napari_pixcell.evaluation.record import EvaluationRecord
from napari_pixcell.evaluation.request import CELLPOSE, U_NET
from napari_pixcell.evaluation.results import MEASURES, write_in
from napari_pixcell.evaluation.tiles import CROP
from napari_pixcell.evaluation.verdict import (
    CONFIDENCE,
    FEWEST_GROUPS,
    PairedDifference,
    cost,
    difference,
    judge,
    signed,
)
from napari_pixcell.words import duration

PAGE = "evaluation.html"
NETWORK_WORDS = {
    U_NET: "A small U-Net was trained from scratch",
    CELLPOSE: "A Cellpose model was fine-tuned",
}
WIDTH, ROW, LEFT, MARGIN = 640, 30, 320, 20  # px of the chart; the names of arms are on the left
Rows = list[list[str]]


@dataclass(frozen=True)
class IntervalBar:
    """A difference and its interval in the chart, in px."""

    words: str
    title: str
    y: float
    x: float
    low: float
    high: float


@dataclass(frozen=True)
class IntervalChart:
    """Differences with their intervals, one below the other, and the line of no difference."""

    bars: list[IntervalBar]
    zero: float
    height: int
    low: str
    high: str
    width: int = WIDTH
    left: int = LEFT


def write_page(record: EvaluationRecord, folder: Path) -> Path:
    """Write the page of an evaluation to a folder, and return its path.

    Raises
    ------
    PixCellError
        If it cannot be written.
    """
    found = judge(record.results, record.slides)
    control = found.control
    arms = [arm for arm in record.arms if arm != control]
    gains = [difference(record.results, arm, control, record.slides) for arm in arms]
    html = render(
        "evaluation.html",
        name=record.dataset,
        network=NETWORK_WORDS[record.network],
        sentence=found.sentence,
        cost=cost(record.results),
        notes=record.notes,
        arms=arm_rows(record),
        measures=list(MEASURES.values()),
        control=ARMS[control].words,
        gains=gain_rows(gains),
        chart=_chart(gains),
        interval=_interval_words(found),
        tiles=_tile_rows(record, found),
        facts=_facts(record),
        versions=", ".join(f"{name} {number}" for name, number in record.versions.items()),
    )
    return write_in(folder, PAGE, html)


def arm_rows(record: EvaluationRecord) -> Rows:
    """Return a row for each arm: name, real crops, scores with the range of the seeds, and time."""
    rows = []
    for arm in record.arms:
        results = [result for result in record.results if result.arm == arm]
        crops = schedule(ARMS[arm], record.steps, record.share).crops
        scores = []
        for measure in MEASURES:
            seeds = [result.mean(measure) for result in results]
            spread = f" ({min(seeds):.2f}–{max(seeds):.2f})" if len(seeds) > 1 else ""
            scores.append(f"{np.mean(seeds):.3f}{spread}")
        real, made = crops.sum(0).tolist()
        seconds = float(np.median([result.seconds for result in results]))
        rows.append([ARMS[arm].words, f"{real:,}", f"{made:,}", *scores, duration(seconds)])
    return rows


def gain_rows(gains: list[PairedDifference]) -> Rows:
    """Return a row for each difference: arm, mean, interval, seeds and tiles improved."""
    return [
        [
            ARMS[gain.arm].words,
            signed(gain.mean),
            f"{signed(gain.low)} to {signed(gain.high)}",
            ", ".join(map(signed, gain.seeds)),
            f"{gain.better} of {gain.tiles}",
        ]
        for gain in gains
    ]


def _chart(gains: list[PairedDifference]) -> IntervalChart:
    low, high = min(0.0, *(g.low for g in gains)), max(0.0, *(g.high for g in gains))
    span = (high - low) or 1.0

    def x(value: float) -> float:
        return round(LEFT + (WIDTH - LEFT - MARGIN) * (value - low) / span, 1)

    bars = [
        IntervalBar(
            ARMS[gain.arm].words.replace(", strong augmentation", " (strong)"),
            f"{ARMS[gain.arm].words}: {gain.words}",
            ROW * (number + 0.5),
            *(x(value) for value in (gain.mean, gain.low, gain.high)),
        )
        for number, gain in enumerate(gains)
    ]
    return IntervalChart(bars, x(0), ROW * len(gains) + 20, signed(low), signed(high))


def _interval_words(gain: PairedDifference) -> str:
    what = "slides"
    more = ""
    if gain.slides < FEWEST_GROUPS:
        what = "test tiles"
        more = (
            f" With less than {FEWEST_GROUPS} test slides, nothing is said about other slides than "
            "these."
        )
    return (
        f"The intervals ({CONFIDENCE} %) show how the mean would vary with other seeds and other "
        f"{what}.{more}"
    )


def _tile_rows(record: EvaluationRecord, gain: PairedDifference) -> Rows:
    """Return a row for each test tile: slide, nuclei, and AJI with the pairs and of the control."""

    def mean(arm: str, tile: str) -> float | None:
        found = [r.tiles[tile]["aji"] for r in record.results if r.arm == arm and tile in r.tiles]
        return float(np.mean(found)) if found else None

    rows = []
    for tile in record.tiles:
        one, other = mean(gain.arm, tile.name), mean(gain.control, tile.name)
        if one is not None and other is not None:
            scores = [f"{one:.3f}", f"{other:.3f}", signed(one - other)]
            rows.append([tile.name, tile.slide, f"{tile.nuclei:,}", *scores])
    return rows


def _facts(record: EvaluationRecord) -> Facts:
    rounds = record.rounds
    tested = {name for one in rounds for name in one.test}
    trained = {name for one in rounds for name in one.real}
    held_out = "given" if record.own_test else "half of the slides, another half for each two seeds"
    pairs = sorted({one.pairs for one in rounds})
    return [
        ("Real tiles for training", f"{len(trained):,}"),
        ("Test tiles", f"{len(tested):,}, {held_out}"),
        ("Pairs", "–".join(f"{count:,}" for count in {pairs[0]: 0, pairs[-1]: 0})),
        ("Seeds", f"{len(rounds):,}"),
        ("Pixel size", f"{record.mpp:g} µm"),
        ("Steps on the real tiles alone", f"{record.steps:,} of {BATCH} crops of {CROP} px"),
        ("Share of the pairs in a mixture", f"{record.share:.0%}"),
        ("Trainings", f"{len(record.results):,}, {duration(record.seconds)} on one core"),
        ("Control", " or ".join(ARMS[name].words for name in CONTROLS)),
    ]
