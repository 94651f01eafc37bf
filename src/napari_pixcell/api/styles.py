"""Blending of styles."""

from __future__ import annotations

from collections.abc import Sequence

from napari_pixcell.engine.styles import blending
from napari_pixcell.engine.styles.style import Style
from napari_pixcell.engine.tissue_colours import mixed_colours
from napari_pixcell.errors import PixCellError
from napari_pixcell.words import counted

OWN = "region"  # name of the style of a region, if the user gives it none


def check_style(style: object) -> None:
    """Raise PixCellError unless an object is a style."""
    if not isinstance(style, Style):
        raise PixCellError(
            f"A style is expected, not {type(style).__name__}. Use what engine.embed, "
            "pixcell.blend or pixcell.read_style returned."
        )


def blend(
    styles: Sequence[Style], weights: Sequence[float] | None = None, name: str = "blend"
) -> Style:
    """Blend styles on the sphere.

    Parameters
    ----------
    styles : sequence of Style
        All embedded by the same encoder.
    weights : sequence of float, optional
        One for each style, 0 or more. Their sum does not matter. By default all are equal.
    name : str
        Of the blend.

    Returns
    -------
    Style
        Its ``made_of`` holds the names and shares of the styles.

    Raises
    ------
    PixCellError
        If the styles and weights do not fit each other, or encoders differ.
    """
    styles = list(styles)
    for style in styles:
        check_style(style)
    weights = [1.0] * len(styles) if weights is None else [float(one) for one in weights]
    if len({style.encoder for style in styles}) > 1:
        raise PixCellError(
            f"{counted(len(styles), 'style')} of different encoders cannot be blended. Embed their "
            "tissue with the same model."
        )
    grid = blending.blend([style.embedding for style in styles], weights)
    total, pairs = sum(weights), list(zip(styles, weights, strict=True))
    return Style(
        name,
        grid,
        styles[0].encoder,
        styles[0].family,
        made_of=tuple((style.name, round(weight / total, 6)) for style, weight in pairs if weight),
        colours=mixed_colours([(style.colours, weight) for style, weight in pairs]),
    )


def shares(style: Style) -> tuple[tuple[str, float], ...]:
    """Return the names and shares of a style for a record; empty for a region's own."""
    if style.made_of:
        return style.made_of
    return () if style.name == OWN else ((style.name, 1.0),)
