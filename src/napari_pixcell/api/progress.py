"""What users see of a request: a bar of tqdm, or functions of their own, which may cancel."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.errors import PixCellError

ProgressCallback: TypeAlias = Callable[[int, int, str], object]
WantedProgress: TypeAlias = "bool | ProgressCallback"
OnPreview: TypeAlias = Callable[[int, NDArray[np.uint8]], object]


class RequestCancelled(PixCellError):
    """A request that was cancelled, by the user's function or :meth:`Engine.cancel`.

    Attributes
    ----------
    finished : list of Variant
        Variants that were finished before.
    """

    def __init__(self, text: str = "The request was cancelled.", finished: Any = ()) -> None:
        super().__init__(text)
        self.finished: list[Any] = list(finished)


def check_on_preview(on_preview: object) -> None:
    """Raise PixCellError unless a function for previews is one, or None."""
    if on_preview is not None and not callable(on_preview):
        raise PixCellError(
            f"on_preview is {on_preview!r}. Use a function of (index, image), or omit it."
        )


class ProgressDisplay:
    """Shows the progress of one request.

    Parameters
    ----------
    wanted : bool or callable
        False shows nothing, True shows a bar. A callable receives the number of finished steps,
        the number of all steps (0 if unknown) and a text.

    Raises
    ------
    PixCellError
        If it is neither.
    """

    def __init__(self, wanted: WantedProgress) -> None:
        if not isinstance(wanted, bool) and not callable(wanted):
            raise PixCellError(
                f"The progress is {wanted!r}. Use True, False, or a function of (done, total, "
                "message)."
            )
        self._callback = None if isinstance(wanted, bool) else wanted
        self._with_bar = wanted is True
        self._bar: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, done: int, total: int, message: str) -> bool:
        """Show progress. Returns False if the user's function returned False, which cancels."""
        if self._callback is not None:
            return self._callback(done, total, message) is not False
        if self._with_bar:
            self._draw(done, total, message)
        return True

    def check(self, done: int, total: int, message: str) -> None:
        """Show progress. Raises RequestCancelled if that cancels."""
        if not self.show(done, total, message):
            raise RequestCancelled()

    def _draw(self, done: int, total: int, message: str) -> None:
        if self._bar is None:
            from tqdm.auto import tqdm

            self._bar = tqdm(total=total or None, unit="step")
        self._bar.set_description(message, refresh=False)
        if not total:  # such as a worker that loads a model while others work
            self._bar.refresh()
            return
        if self._bar.total != total:
            self._bar.reset(total)
        self._bar.update(done - self._bar.n)
