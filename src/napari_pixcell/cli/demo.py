"""``napari-pixcell demo``: the main job on the sample slide."""

from __future__ import annotations

from pathlib import Path

from napari_pixcell.cli import options as cli
from napari_pixcell.cli.messages import note
from napari_pixcell.cli.running import embedding_of, write_variants
from napari_pixcell.engine.chosen_region import ChosenRegion
from napari_pixcell.engine.colour_match import colour_match
from napari_pixcell.engine.requests import (
    GenerationSettings,
    generate_request,
    source_of,
    tile_size,
)
from napari_pixcell.models.families import get_family
from napari_pixcell.slides.region import Region


@cli.command(
    "demo",
    cli.path("--out", "DIR", "folder to write", default=Path("demo-output")),
    cli.DEVICE,
    cli.examples("demo", "demo --out pictures"),
)
def demo(options: cli.Options) -> cli.Result:
    """Segment and generate on the sample slide, in the napari window."""
    from napari_pixcell.ui.display import any_display

    with any_display() as display:
        if display != "none":
            from napari_pixcell.ui.demo import run_demo

            return run_demo(options.out, stay_open=display == "screen")
    note("No display and no Xvfb. The demo runs without a window.")
    return _demo_without_window(options.out)


def _demo_without_window(out: Path) -> cli.Result:
    """Segment the centre of the sample slide, and generate 4 variants of it."""
    from napari_pixcell.cells import segment_nuclei
    from napari_pixcell.slides import open_slide
    from napari_pixcell.slides.samples import SAMPLE_SLIDE

    family, slide = get_family("demo"), open_slide(SAMPLE_SLIDE)
    (height, width), mpp = slide.shape, slide.require_mpp()
    region = Region.tile((width / 2, height / 2), family.tile, family.mpp, mpp)
    source = source_of(slide.short_name, region, mpp)
    chosen = ChosenRegion(family, slide, region, tile_size(family), source)
    embedding, _ = embedding_of(chosen, no_cache=True)
    request = generate_request(
        family,
        GenerationSettings.for_family(family, layout=True),
        size=chosen.size,
        embedding=embedding,
        layout=segment_nuclei(slide.read(region, family.mpp), family.mpp),
        source=source,
        colour_match=colour_match(family.colour_match, chosen.colours()),
    )
    return write_variants([request], out)
