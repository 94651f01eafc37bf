"""The slide that a command names. Quick to import."""

from __future__ import annotations

import argparse

from napari_pixcell.slides.slide import Slide


def chosen_slide(options: argparse.Namespace) -> Slide:
    """Open the slide of ``SLIDE``, ``--mpp`` and ``--allow-network``.

    Raises
    ------
    PixCellError
        If it cannot be read, or is an address that was not allowed.
    """
    from napari_pixcell.slides import open_slide

    allowed = getattr(options, "allow_network", False)
    return open_slide(options.slide, mpp=options.mpp, allow_network=allowed)
