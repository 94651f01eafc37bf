"""No input brings the product down: damaged ones are read, or refused in one clear sentence."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from harness import run_reader
from readers import READERS

CASES = Path(__file__).with_name("cases")
SEED = 1
INPUTS = {"sessions": 15, "datasets": 8, "tiles": 15, "weights": 12, "answers": 15}
MOST_INPUTS = 50  # of a reader that is not named above
PATIENCE = 120.0  # s; a test must not depend on how busy the machine is


@pytest.mark.parametrize("reader", READERS)
def test_damaged_inputs_are_read_or_refused(reader: str, tmp_path: Path) -> None:
    count, cases = INPUTS.get(reader, MOST_INPUTS), []  # and those that failed once
    for case in sorted((CASES / reader).glob("*")):  # some readers write beside what they read
        copy = shutil.copytree if case.is_dir() else shutil.copy
        cases.append(Path(copy(case, tmp_path / case.name)))
    outcomes = run_reader(reader, tmp_path, SEED, range(count), PATIENCE, whole=cases)
    assert not outcomes.failures, "\n".join(
        f"{failure.reader} {failure.number}: {failure.detail}" for failure in outcomes.failures
    )
    assert outcomes.counts.total() == count
    assert outcomes.counts["refused"] > 0
    # The valid ones they were made from are accepted, or nothing would have been tested.
    bases = list((tmp_path / "bases" / reader).iterdir())
    assert outcomes.whole.total() == len(bases) + len(cases)
    assert outcomes.whole["accepted"] >= 0.6 * len(bases)
