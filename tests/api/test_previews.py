"""Previews: what a variant looks like while it is generated."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import napari_pixcell as pixcell

STEPS = 2


def test_previews_are_received_and_change_no_pixel(
    either: pixcell.Engine, style: pixcell.Style, layout: pixcell.Layout
) -> None:
    seen: list[tuple[int, NDArray[np.uint8]]] = []
    made = either.generate(
        style,
        layout,
        count=1,
        steps=STEPS,
        on_preview=lambda index, image: seen.append((index, image)),
    )
    index, image = seen[0]  # later ones depend on the speed of the machine
    assert (index, image.shape, image.dtype) == (0, (32, 32, 3), np.uint8)
    assert image.std() > 0
    plain = either.generate(style, layout, count=1, steps=STEPS)
    assert np.array_equal(made[0].image, plain[0].image)


def test_a_stain_has_previews_too(
    engine: pixcell.Engine, slide: pixcell.Slide, region: pixcell.Region
) -> None:
    seen: list[int] = []
    engine.stain(
        "demo-ki67", slide, region, steps=STEPS, on_preview=lambda index, _: seen.append(index)
    )
    assert seen[0] == 0


def test_an_error_in_that_function_ends_the_request_and_is_raised(
    either: pixcell.Engine, style: pixcell.Style
) -> None:
    def on_preview(index: int, image: NDArray[np.uint8]) -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        either.generate(style, count=2, steps=STEPS, on_preview=on_preview)
    assert len(either.generate(style, count=1, steps=STEPS)) == 1


def test_what_is_no_function_is_refused(engine: pixcell.Engine, slide: pixcell.Slide) -> None:
    message = r"on_preview is True\. Use a function of \(index, image\), or omit it\."
    with pytest.raises(pixcell.PixCellError, match=message):
        engine.generate(None, on_preview=True)  # type: ignore[arg-type]
    with pytest.raises(pixcell.PixCellError, match=message):
        engine.stain("demo-ki67", slide, on_preview=True)  # type: ignore[arg-type]
