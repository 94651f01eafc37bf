"""Drawing less often while the window is slow, by a clock of its own."""

from __future__ import annotations

import pytest

from napari_pixcell.studio.generation import pacing
from napari_pixcell.studio.generation.pacing import LONGEST_S, ON_TIME_S, SHARE, DrawingPace


@pytest.fixture(autouse=True)
def as_in_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "ON_TIME_S", ON_TIME_S)  # other tests draw at every turn


class Turns:
    """Turns of an event loop that take a time of their own, and longer when they draw."""

    def __init__(self, idle: float, drawing: float) -> None:
        self.now, self.drawn = 0.0, 0
        self._idle, self._drawing = idle, drawing
        self._pace = DrawingPace(lambda: self.now)

    def run(self, seconds: float) -> float:
        """Return the share of the time that was spent drawing."""
        while self.now < seconds:
            draws = self._pace.turn()
            if draws:
                self._pace.drew()
                self.drawn += 1
            self.now += self._idle + (self._drawing if draws else 0)
        return self.drawn * self._drawing / self.now


def test_a_quick_window_draws_at_every_turn() -> None:
    turns = Turns(0.04, 0.01)
    turns.run(10)
    assert turns.drawn == 200


def test_a_slow_window_draws_for_a_part_of_the_time() -> None:
    assert Turns(0.04, 0.2).run(60) < 1.1 / SHARE
    assert Turns(0.04, 0.2).run(60) > 0.5 / SHARE


def test_however_slow_it_is_it_draws_now_and_then() -> None:
    turns = Turns(0.04, 3.0)
    turns.run(60)
    assert turns.drawn >= 60 / (3.0 + LONGEST_S + 0.1) - 1


def test_a_late_turn_without_a_drawing_does_not_delay_the_next() -> None:
    now = 0.0
    pace = DrawingPace(lambda: now)
    assert pace.turn()
    now += 10 * ON_TIME_S
    assert pace.turn()  # the window was busy with something else before
