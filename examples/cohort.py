"""Pairs from the centre of each slide in a folder, in the style of that slide.

    python examples/cohort.py SLIDES OUT

Slides that cannot be used are named and left out. A second call with the same folders adds pairs.
"""

import sys
from pathlib import Path

import napari_pixcell as pixcell

SIDE = 256  # µm


def main(slides: Path, out: Path) -> None:
    """Generate two variants of the centre of each slide, and export them."""
    with pixcell.Engine("demo", progress=True) as engine:
        for path in sorted(slides.iterdir()):
            try:
                with pixcell.open_slide(path) as slide:
                    width, height = slide.size_um
                    region = slide.region_um((width - SIDE) / 2, (height - SIDE) / 2, SIDE, SIDE)
                    style = engine.embed(slide, region)
                    layout = engine.segment(slide, region)
                    variants = engine.generate(style, layout, count=2, seed=1)
            except pixcell.PixCellError as error:
                print(f"{path.name} is left out. {error}", file=sys.stderr)
                continue
            for image in pixcell.export(variants, out):
                print(image)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
