"""No input brings the product down: damaged ones are read, or refused in one clear sentence."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from harness import Outcomes, run_files, run_reader
from readers import READERS

CASES = Path(__file__).with_name("cases")
SEED = 1
INPUTS = {"sessions": 40, "datasets": 20, "weights": 40, "answers": 40}
MOST_INPUTS = 150  # of a reader that is not named above
PATIENCE = 120.0  # s; a test must not depend on how busy the machine is


def expect_no_failure(outcomes: Outcomes) -> None:
    assert not outcomes.failures, "\n".join(
        f"{failure.reader} {failure.number}: {failure.detail}" for failure in outcomes.failures
    )


@pytest.mark.parametrize("reader", READERS)
def test_damaged_inputs_are_read_or_refused(reader: str, tmp_path: Path) -> None:
    count = INPUTS.get(reader, MOST_INPUTS)
    outcomes = run_reader(reader, tmp_path, SEED, range(count), PATIENCE)
    expect_no_failure(outcomes)
    assert outcomes.counts.total() == count
    assert outcomes.counts["refused"] > 0
    # The valid ones they were made from are accepted, or nothing would have been tested.
    bases = sorted((tmp_path / "bases" / reader).iterdir())
    cases = sorted((CASES / reader).glob("*"))  # which failed once
    for case in cases:  # some readers write beside what they read
        (shutil.copytree if case.is_dir() else shutil.copy)(case, tmp_path / case.name)
    again = run_files(reader, [*bases, *(tmp_path / case.name for case in cases)], PATIENCE)
    expect_no_failure(again)
    assert again.counts["accepted"] >= 0.6 * len(bases)
