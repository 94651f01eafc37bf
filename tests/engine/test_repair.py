"""Repair: wrong nuclei are generated again, nothing gets worse, and a record reproduces it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from running import run
from scipy.ndimage import distance_transform_edt, label

from napari_pixcell.cells.methods import SegmentMethod
from napari_pixcell.datasets.marks import for_export
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Finished, Notice, Progress, Variant
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.record import Record
from napari_pixcell.engine.repair import ONE_TILE, NucleusCounts, Repair, RepairOutcome
from napari_pixcell.engine.repairing import FEATHER_UM, MARGIN_UM, repair_variant
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.errors import PixCellError

# With this, no nucleus is ever found, so all of them stay missing whatever the image shows.
BLIND = SegmentMethod(smallest_um2=16_000.0)
WHITE, DARK = 240, 60


def layout_of_discs(*centres: tuple[int, int], side: int = 256) -> np.ndarray:
    """Return a layout with a nucleus of radius 8 px at each centre, numbered from 1."""
    rows, columns = np.ogrid[:side, :side]
    labels = np.zeros((side, side), np.uint16)
    for number, (y, x) in enumerate(centres, 1):
        labels[(rows - y) ** 2 + (columns - x) ** 2 <= 64] = number
    return labels


def drawn(labels: np.ndarray, *hidden: int) -> np.ndarray:
    """Draw dark nuclei on white, without the hidden ones."""
    image = np.full((*labels.shape, 3), WHITE, np.uint8)
    image[(labels > 0) & ~np.isin(labels, hidden)] = DARK
    return image


def segment(image: np.ndarray) -> np.ndarray:
    return label(image[..., 0] < 150)[0]


CENTRES = ((40, 40), (40, 128), (128, 40), (128, 128))
LAYOUT = layout_of_discs(*CENTRES)


def request(repair: Repair, **changes: object) -> GenerateRequest:
    values = {"layout": PackedArray.pack(LAYOUT), "count": 1, "steps": 2, "guidance": 1.0}
    return GenerateRequest("demo", repair=repair, **values | changes)


class Rounds:
    """Regenerates by pasting the area to change of a new image into the old one."""

    def __init__(self, *images: np.ndarray) -> None:
        self.images = images
        self.requests: list[GenerateRequest] = []

    def __call__(self, again: GenerateRequest, number: int) -> np.ndarray:
        self.requests.append(again)
        assert len(self.requests) == number
        part = again.part.unpack()
        return np.where(part[..., None], self.images[number - 1], again.start.unpack())


def repaired(image: np.ndarray, rounds: Rounds, repair: Repair | None = None, **changes: object):
    asked = request(repair or Repair(rounds=len(rounds.images)), **changes)
    return repair_variant(asked, image, segment, rounds)


# -- rounds ------------------------------------------------------------------------------------


def test_a_missing_nucleus_appears_and_everything_else_keeps_its_pixels() -> None:
    before = drawn(LAYOUT, 2)
    result = repaired(before, Rounds(drawn(LAYOUT)))
    assert result.outcome.before == NucleusCounts(3, 0, 1, 0)
    assert result.outcome.after == NucleusCounts(4, 0, 0, 0)
    assert (result.outcome.rounds, result.outcome.wrong) == (1, ())
    np.testing.assert_array_equal(result.image, drawn(LAYOUT))
    away = distance_transform_edt(LAYOUT != 2) * 0.5
    far = away > MARGIN_UM + FEATHER_UM
    np.testing.assert_array_equal(result.image[far], before[far])


def test_an_extra_nucleus_is_removed() -> None:
    more = layout_of_discs(*CENTRES, (200, 200))
    result = repaired(drawn(more), Rounds(drawn(LAYOUT)))
    assert (result.outcome.before.extra, result.outcome.after.extra) == (1, 0)
    np.testing.assert_array_equal(result.image, drawn(LAYOUT))


def test_a_spot_is_kept_only_where_it_got_better() -> None:
    """Of two missing nuclei, the new image shows one; at the other it draws two wrong ones."""
    specks = layout_of_discs((118, 119), (138, 138)) > 0
    new = drawn(LAYOUT, 4)
    new[specks] = DARK
    before = drawn(LAYOUT, 1, 4)
    result = repaired(before, Rounds(new))
    assert result.outcome.missing == (4,)
    np.testing.assert_array_equal(result.image, drawn(LAYOUT, 4))


def test_a_round_that_helps_nowhere_changes_no_pixel_and_the_next_one_begins_from_the_best() -> (
    None
):
    before = drawn(LAYOUT, 3)
    rounds = Rounds(before, drawn(LAYOUT, 3), drawn(LAYOUT))
    result = repaired(before, rounds)
    assert result.outcome.rounds == 3
    np.testing.assert_array_equal(rounds.requests[2].start.unpack(), before)
    np.testing.assert_array_equal(result.image, drawn(LAYOUT))


def test_a_new_image_that_does_harm_elsewhere_is_refused() -> None:
    """A segmenter may judge the rest of an image by what is new in it."""
    before, new = drawn(LAYOUT, 2), drawn(LAYOUT)

    def touchy(image: np.ndarray) -> np.ndarray:
        found = segment(image)
        return np.where(found == 1, found, 0) if np.array_equal(image, new) else found

    asked = request(Repair(rounds=1))
    result = repair_variant(asked, before, touchy, Rounds(new))
    np.testing.assert_array_equal(result.image, before)
    assert result.outcome.after == result.outcome.before


def test_no_round_begins_once_nothing_is_wrong_or_the_time_is_over() -> None:
    assert repaired(drawn(LAYOUT), Rounds(drawn(LAYOUT))).outcome.rounds == 0
    late = repaired(drawn(LAYOUT, 1), Rounds(drawn(LAYOUT)), Repair(seconds=0.0))
    assert late.outcome.rounds == 0
    assert late.outcome.missing == (1,)
    only_compared = repaired(drawn(LAYOUT, 1), Rounds(), Repair(rounds=0))
    assert only_compared.outcome.before == NucleusCounts(3, 0, 1, 0)


def test_the_finished_image_is_compared_and_the_raw_one_generated_from() -> None:
    """Finishing, here a change of colour that depends on the whole image, moves no other pixel."""

    def finish(raw: np.ndarray) -> np.ndarray:
        return raw + np.uint8(raw.mean() > drawn(LAYOUT, 2).mean() - 0.01)

    seen = []

    def watched(image: np.ndarray) -> np.ndarray:
        seen.append(image)
        return segment(image)

    before, rounds = drawn(LAYOUT, 2), Rounds(drawn(LAYOUT))
    result = repair_variant(request(Repair(rounds=1)), before, watched, rounds, finish)
    np.testing.assert_array_equal(seen[0], before + 1)
    np.testing.assert_array_equal(rounds.requests[0].start.unpack(), before)
    assert result.outcome.after == NucleusCounts(4, 0, 0, 0)
    changed = (result.image != before + 1).any(axis=-1)
    away = distance_transform_edt(LAYOUT != 2) * 0.5
    assert changed[LAYOUT == 2].all()
    assert not changed[away > MARGIN_UM + FEATHER_UM].any()


def test_each_round_has_its_own_seed_and_later_ones_hold_more_closely_to_the_layout() -> None:
    before = drawn(LAYOUT, 3)
    rounds = Rounds(before, before, before, before)
    repaired(before, rounds, seed=2**32 - 1, layout_strength=0.9)
    assert len({one.seed for one in rounds.requests} | {2**32 - 1}) == 5
    strengths = [one.layout_strength for one in rounds.requests]
    assert strengths == sorted(strengths)
    assert strengths[0] < strengths[-1] <= 2
    assert all(one.repair is None and one.count == 1 for one in rounds.requests)


def test_a_round_stays_inside_the_area_that_the_user_regenerates() -> None:
    part = np.zeros(LAYOUT.shape, bool)
    part[:, :90] = True
    start = PackedArray.pack(drawn(LAYOUT))
    rounds = Rounds(drawn(LAYOUT))
    changes = {"start": start, "part": PackedArray.pack(part), "feather": 4}
    result = repaired(drawn(LAYOUT, 1, 2), rounds, **changes)
    assert result.outcome.missing == (2,)
    assert not (rounds.requests[0].part.unpack() & ~part).any()
    assert rounds.requests[0].feather == 4


# -- the engine --------------------------------------------------------------------------------


def only(events: list, kind: type) -> list:
    return [event for event in events if isinstance(event, kind)]


def check_reproduced(engine: Engine, variant: Variant) -> None:
    """A record written as JSON and read back gives the same pixels."""
    record = Record.from_dict(json.loads(json.dumps(variant.record.to_dict())))
    assert record == variant.record
    np.testing.assert_array_equal(engine.reproduce(record), variant.image)


def test_a_repaired_variant_is_reproduced_from_its_record(shallow, style) -> None:
    """The time limit is not in the record, but the number of rounds that were done is."""
    asked = request(Repair(rounds=2, seconds=3600.0), embedding=style, count=2)
    events = run(shallow, asked)
    variants = only(events, Variant)
    assert len(variants) == 2
    for variant in variants:
        outcome, repair = variant.record.repair, variant.record.request.repair
        assert (repair.rounds, repair.seconds) == (outcome.rounds, None)
        assert outcome.after.wanted == outcome.before.wanted == 4
        wrong = [counts.wanted - counts.placed + counts.extra for counts in _both(outcome)]
        assert wrong[1] <= wrong[0]
    check_reproduced(shallow, variants[1])


def _both(outcome: RepairOutcome) -> tuple[NucleusCounts, NucleusCounts]:
    return outcome.before, outcome.after


def test_nuclei_that_stay_wrong_are_named_and_dropped_from_the_mask(shallow) -> None:
    events = run(shallow, request(Repair(rounds=1, method=BLIND)))
    (variant,) = only(events, Variant)
    record = variant.record
    assert record.repair.missing == (1, 2, 3, 4)
    assert record.repair.rounds == 1
    np.testing.assert_array_equal(record.mask, LAYOUT)
    dropped = Record.from_dict(json.loads(json.dumps(record.without_wrong().to_dict())))
    assert not dropped.mask.any()
    assert "0 of 4 nuclei placed (0 before repair), 4 dropped" in dropped.repair.sentence()
    words = [event.message for event in only(events, Progress)]
    assert "Repairing, round 1 of 1" in words
    done = [(event.done, event.total) for event in only(events, Progress) if event.total]
    assert done == sorted(done)
    assert done[-1][0] == done[-1][1]


def test_a_repair_is_cancelled_between_its_steps(shallow) -> None:
    repairing = []

    def on_event(event: object) -> None:
        events.append(event)
        if isinstance(event, Progress) and event.message.startswith("Repairing, round 2"):
            repairing.append(True)

    events: list = []
    shallow.run(request(Repair(rounds=3, method=BLIND)), on_event, lambda: bool(repairing))
    assert isinstance(events[-1], Finished)
    assert events[-1].cancelled
    assert not only(events, Variant)


def test_an_image_larger_than_a_tile_is_not_repaired_and_says_so(shallow) -> None:
    asked = request(
        Repair(), size=(256, 320), layout=PackedArray.pack(np.pad(LAYOUT, ((0, 0), (0, 64))))
    )
    events = run(shallow, asked)
    assert [event.message for event in only(events, Notice)] == [ONE_TILE]
    (variant,) = only(events, Variant)
    assert variant.record.repair is None


def test_without_a_layout_there_is_nothing_to_repair(shallow) -> None:
    (variant,) = only(run(shallow, request(Repair(), layout=None)), Variant)
    assert variant.record.repair is None


def test_a_missing_cellpose_model_is_named_before_anything_is_generated() -> None:
    engine = Engine()
    method = SegmentMethod("cellpose", "nowhere/own_model")
    with pytest.raises(PixCellError, match="no Cellpose model file own_model"):
        run(engine, request(Repair(method=method)))


# -- values ------------------------------------------------------------------------------------


def test_a_request_without_a_repair_is_written_as_before() -> None:
    value = replace(request(Repair()), repair=None).to_dict()
    assert "repair" not in value
    assert "repair" not in Record(replace(request(Repair()), repair=None)).to_dict()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rounds": -1}, "number of repair rounds is -1. Choose one from 0 to 20"),
        ({"seconds": float("nan")}, "time for the repair is nan s. Choose one from 0 to 86,400 s"),
    ],
)
def test_a_bad_value_of_a_repair_gets_one_sentence(changes: dict, words: str) -> None:
    with pytest.raises(PixCellError, match=words):
        Repair(**changes)


@pytest.mark.parametrize(
    "changes", [{"before": 3}, {"missing": [2**70]}, {"missing": "a"}, {"seconds": float("inf")}]
)
def test_a_damaged_outcome_in_a_record_is_refused(changes: dict) -> None:
    counts = NucleusCounts(1, 0, 1, 0)
    value = Record(request(Repair()), repair=RepairOutcome(counts, counts, missing=(2,))).to_dict()
    assert Record.from_dict(value).repair.missing == (2,)
    value["repair"] |= changes
    with pytest.raises(PixCellError, match="damaged"):
        Record.from_dict(value)


def test_an_exported_record_names_no_folder_of_the_segmenter() -> None:
    method = SegmentMethod("cellpose", "/home/someone/own_model")
    record = for_export(Record(request(Repair(method=method))))
    assert record.request.repair.method.model == "own_model"


def test_an_outcome_is_told_in_one_line() -> None:
    before, after = NucleusCounts(59, 7, 5, 4), NucleusCounts(68, 2, 1, 2)
    done = RepairOutcome(before, after, rounds=3, seconds=4.2)
    assert done.sentence() == "68 of 71 nuclei placed (59 before repair), 2 extra; 4 s"
    one = NucleusCounts(1, 0, 0, 0)
    assert RepairOutcome(one, one).sentence() == "1 of 1 nucleus placed"
