"""Ki67 measurements, compared with QuPath's counts of the same field on two scanners.

    python benchmarks/ki67.py ../shared/data/openslide_os1_os2_crops

The tables next to the crops are not counts by eye. An expert ran QuPath's positive cell detection
with two detection and two DAB thresholds (QuPath's stain vectors, background 255) to show how much
these matter. The reference is therefore a range.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.ihc.deconvolution import FULL
from napari_pixcell.cells.ihc.measures import IhcMeasurement, measure_staining
from napari_pixcell.cells.segmentation import segment_nuclei
from napari_pixcell.slides import Region, open_slide

MPP = 0.5
SCANNERS = ("ndpi", "vsi")
OVERLAP = 0.5


@dataclass(frozen=True, eq=False)
class Field:
    """The Ki67 field on one scanner, with QuPath's counts."""

    picture: NDArray[np.uint8]
    labels: NDArray[np.int32]
    staining: IhcMeasurement
    qupath: dict[tuple[float, float], tuple[int, float]]

    def percent(self, threshold: float) -> float:
        return 100 * float(np.mean(self.staining.dab >= threshold))

    def theirs(self, dab: float) -> list[float]:
        return [percent for (_, at), (_, percent) in self.qupath.items() if at == dab]


def field(folder: Path, scanner: str) -> Field:
    slide = open_slide(folder / f"OS-2-{scanner}.ome.tif")
    height, width = slide.shape
    picture = slide.read(Region(0, 0, width, height), MPP)
    labels = segment_nuclei(picture, MPP)
    with (folder / f"OS-2-{scanner}-results.tsv").open(encoding="utf-8") as file:
        qupath = {
            (float(row["Detection threshold"]), float(row["DAB threshold"])): (
                int(row["Num cells"]),
                float(row["Positive %"]),
            )
            for row in csv.DictReader(file, delimiter="\t")
        }
    return Field(picture, labels, measure_staining(picture, MPP, labels), qupath)


def threshold_for(field: Field, percent: float) -> float:
    """Return the DAB threshold at which the given percentage of nuclei is positive."""
    return float(np.quantile(field.staining.dab, 1 - percent / 100))


def matched(a: Field, b: Field) -> NDArray[np.int64]:
    """Return the nuclei matched between both scanners, as pairs of row numbers."""
    height, width = (min(x.labels.shape[n] for x in (a, b)) for n in (0, 1))
    first, second = a.labels[:height, :width], b.labels[:height, :width]
    both = (first > 0) & (second > 0)
    pairs, shared = np.unique(
        np.stack([first[both], second[both]], axis=1), axis=0, return_counts=True
    )
    sizes = np.bincount(first.ravel()), np.bincount(second.ravel())
    union = sizes[0][pairs[:, 0]] + sizes[1][pairs[:, 1]] - shared
    good = pairs[shared / union >= OVERLAP]
    return np.stack(
        [np.searchsorted(x.staining.labels, good[:, n]) for n, x in enumerate((a, b))], axis=1
    )


def kappa(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Return Cohen's kappa, the agreement beyond chance."""
    chance = a.mean() * b.mean() + (1 - a.mean()) * (1 - b.mean())
    return float((np.mean(a == b) - chance) / (1 - chance))


def main(folder: Path) -> None:
    fields = {name: field(folder, name) for name in SCANNERS}
    print("| scanner | nuclei | QuPath | positive from 0.2 | QuPath | positive from 0.5 | QuPath |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, one in fields.items():
        counts = sorted({count for count, _ in one.qupath.values()})
        cells = [name, str(len(one.staining.labels)), " or ".join(map(str, counts))]
        for dab in (0.2, 0.5):
            theirs = " or ".join(f"{percent:.1f} %" for percent in sorted(one.theirs(dab)))
            cells += [f"{one.percent(dab):.1f} %", theirs]
        print(f"| {' | '.join(cells)} |")

    print("\nA threshold chosen on one scanner (to match QuPath's mean at 0.2), used on the other:")
    print("| chosen on | threshold | tested on | positive | QuPath mean | difference |")
    print("| --- | --- | --- | --- | --- | --- |")
    for here, there in (SCANNERS, SCANNERS[::-1]):
        chosen = threshold_for(fields[here], float(np.mean(fields[here].theirs(0.2))))
        got, wanted = fields[there].percent(chosen), float(np.mean(fields[there].theirs(0.2)))
        print(
            f"| {here} | {chosen:.2f} | {there} | {got:.1f} % | {wanted:.1f} % "
            f"| {got - wanted:+.1f} points |"
        )

    a, b = (fields[name] for name in SCANNERS)
    pairs = matched(a, b)
    dab = a.staining.dab[pairs[:, 0]], b.staining.dab[pairs[:, 1]]
    slope, offset = np.polyfit(*dab, 1)
    same = kappa(dab[0] >= 0.2, dab[1] >= 0.2)
    print(
        f"\nThe same nuclei on both scanners: {len(pairs)} matched; DAB correlates by "
        f"{np.corrcoef(*dab)[0, 1]:.3f}, {SCANNERS[1]} = {slope:.2f} × {SCANNERS[0]} "
        f"{offset:+.3f}; called alike from 0.2 on: "
        f"{100 * np.mean((dab[0] >= 0.2) == (dab[1] >= 0.2)):.1f} % (kappa {same:.2f})."
    )
    for name, one in fields.items():
        as_theirs = measure_staining(one.picture, MPP, one.labels, FULL).dab
        shares = " and ".join(f"{100 * np.mean(as_theirs >= dab):.1f} %" for dab in (0.2, 0.5))
        print(f"{name}: relative to full white as QuPath, {shares} are positive from 0.2 and 0.5.")
        scores = one.staining.score()
        print(
            f"{name}: white {one.staining.white}, tissue {one.staining.tissue_mm2:.3f} mm², "
            f"{scores.area_percent:.1f} % of it brown, H-score {scores.h_score:.0f}."
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
