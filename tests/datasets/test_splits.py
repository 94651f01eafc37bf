"""Splits never part a slide or a layout's variations, whatever the dataset."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from napari_pixcell.datasets.splits import Split, SplitAssignment, groups_of
from napari_pixcell.errors import PixCellError


def groups(kind: str, numbers: list[int]) -> list[frozenset[str]]:
    return groups_of({"group": f"{kind}-{number}"} for number in numbers)


def each(styles: int, layouts: int) -> np.ndarray:
    return np.array([(s, k) for s in range(styles) for k in range(layouts)], np.int32)


def counted(parts: SplitAssignment, pairs: np.ndarray) -> Counter[str | None]:
    return Counter(parts.of(style, layout) for style, layout in pairs.tolist())


def random_dataset(
    rng: np.random.Generator,
) -> tuple[list[frozenset[str]], list[frozenset[str]], np.ndarray]:
    """Draw styles, some of them blends, layouts, some found in tissue, and pairs of them."""
    slides, kinds = rng.integers(1, 12, 2)
    styles = []
    for _ in range(rng.integers(1, 30)):
        blended = rng.choice(slides, size=min(slides, 1 + (rng.random() < 0.2)), replace=False)
        styles.append({"group": "+".join(f"slide-{number}" for number in blended)})
    found = rng.random() < 0.3
    layouts = [
        {"group": f"{'slide' if found and rng.random() < 0.5 else 'layout'}-{rng.integers(kinds)}"}
        for _ in range(rng.integers(0, 30))
    ]
    count = rng.integers(1, 300)
    layout = rng.integers(0, len(layouts), count) if layouts else np.full(count, -1)
    pairs = np.stack([rng.integers(0, len(styles), count), layout], 1).astype(np.int32)
    if layouts and rng.random() < 0.3:  # matched: each layout with one style
        pairs[:, 0] = rng.integers(0, len(styles), len(layouts))[pairs[:, 1]]
    return groups_of(styles), groups_of(layouts), pairs


def test_no_group_is_ever_split() -> None:
    possible = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        styles, layouts, pairs = random_dataset(rng)
        split = Split(
            float(rng.uniform(0.05, 0.5)), float(rng.choice([0, 0.2])), int(rng.integers(9))
        )
        try:
            parts = SplitAssignment(styles, layouts, pairs, split)
        except PixCellError:
            continue
        possible += 1
        where: dict[str, set[str]] = {}  # the parts in which tissue or cells of a group are seen
        for style, layout in pairs.tolist():
            own = styles[style] | (layouts[layout] if layout >= 0 else frozenset())
            part = parts.of(style, layout)
            assert (part is None) == (len({parts.part[name] for name in own}) > 1)
            for name in own if part else ():
                where.setdefault(name, set()).add(part)  # type: ignore[arg-type]
        assert all(len(seen) == 1 for seen in where.values())
        assert all(counted(parts, pairs)[part] for part in split.parts)
        again = SplitAssignment(styles, layouts, pairs[::-1], split)
        assert again.part == parts.part  # whatever order the pairs were made in
    assert possible > 50


@pytest.mark.parametrize("share", [0.1, 0.2, 0.4])
def test_shares_are_reached(share: float) -> None:
    pairs = each(60, 60)
    styles = groups("slide", [n // 2 for n in range(60)])
    layouts = groups("layout", [n // 3 for n in range(60)])
    parts = SplitAssignment(styles, layouts, pairs, Split(share))
    found = counted(parts, pairs)
    assert found["validation"] / (found["train"] + found["validation"]) == pytest.approx(
        share, abs=0.03
    )
    assert found[None] < 0.6 * len(pairs)  # what each with each must lose is 44 % at 0.2


def test_matched_pairs_are_all_kept() -> None:
    pairs = np.array([(n, n) for n in range(40)], np.int32)
    styles, layouts = groups("slide", [n // 4 for n in range(40)]), groups("layout", [*range(40)])
    parts = SplitAssignment(styles, layouts, pairs, Split(0.2, 0.1))
    assert counted(parts, pairs) == {"train": 28, "validation": 8, "test": 4}


def test_without_layouts_only_slides_count() -> None:
    pairs = np.array([(n, -1) for n in range(20)], np.int32)
    parts = SplitAssignment(groups("slide", [n % 10 for n in range(20)]), [], pairs, Split(0.3))
    assert counted(parts, pairs) == {"train": 14, "validation": 6}
    assert parts.of(3, None) == parts.of(13, -1)


def test_cells_found_in_tissue_stay_with_its_slide() -> None:
    slides = groups("slide", [n // 2 for n in range(20)])
    pairs = each(20, 20)
    parts = SplitAssignment(slides, slides, pairs, Split(0.2))
    assert all(parts.of(n, n) is not None for n in range(20))


def test_seeds_give_other_splits() -> None:
    arguments = groups("slide", [*range(20)]), groups("layout", [*range(20)]), each(20, 20)
    chosen = {
        tuple(sorted(SplitAssignment(*arguments, Split(seed=n)).part.items())) for n in range(4)
    }
    assert len(chosen) == 4


@pytest.mark.parametrize(
    ("styles", "layouts", "split", "sentence"),
    [
        ([0, 0], [0, 1], Split(), "All tissue comes from one slide.*Add styles of another slide"),
        ([0, 1], [0, 0], Split(), "All layouts are variations of one.*Add another layout"),
        ([0, 1], [0, 1], Split(0.2, 0.2), "No split leaves pairs for each part.*fewer parts"),
    ],
)
def test_impossible_splits_are_refused(
    styles: list[int], layouts: list[int], split: Split, sentence: str
) -> None:
    with pytest.raises(PixCellError, match=sentence):
        SplitAssignment(groups("slide", styles), groups("layout", layouts), each(2, 2), split)


@pytest.mark.parametrize("shares", [(0, 0), (-0.1, 0.5), (0.5, 0.5), (float("nan"), 0.1)])
def test_shares_out_of_range_are_refused(shares: tuple[float, float]) -> None:
    with pytest.raises(PixCellError, match=r"Choose shares of 0 to 0\.9"):
        Split(*shares)
