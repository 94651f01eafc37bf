"""Virtual stains of a region: which, how much of the tissue they keep, and making them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.ihc.look import looks_like
from napari_pixcell.engine.events import Event, Failure, is_last
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request import GenerateRequest, Source
from napari_pixcell.engine.sweep import Axis, Sweep
from napari_pixcell.engine.tissue import size_at
from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.families import stain_families, stain_name
from napari_pixcell.models.identity import encoder_identity
from napari_pixcell.models.store import missing
from napari_pixcell.slides.region import Region
from napari_pixcell.studio.generation.grids import Grid
from napari_pixcell.studio.generation.start import Beginning
from napari_pixcell.studio.regions.item import RegionItem, snap
from napari_pixcell.studio.results.results import Result, Target
from napari_pixcell.studio.stains.sources import INVERSION, LOOKS_LIKE_IHC, NOISE, start_words
from napari_pixcell.studio.styles.embedder import EmbedJob

if TYPE_CHECKING:
    from napari_pixcell.studio.session import Session

SECTION = "stain"


def stain_request(
    family: Family,
    embedding: PackedArray,
    size: tuple[int, int],
    seed: int,
    source: Source,
    layout: bool = False,
) -> GenerateRequest:
    """Build the request of one stain of a region, but for layout and start.

    Parameters
    ----------
    family : Family
        The stain.
    embedding : PackedArray
        Of the H&E, by the family's encoder.
    size : (height, width)
        Of the picture, in px.
    seed : int
        Of the noise.
    source : Source
        Where the tissue is.
    layout : bool
        Whether there will be one.
    """
    return GenerateRequest(
        family=family.name,
        embedding=embedding,
        size=size if size != (family.tile, family.tile) else None,
        seed=seed,
        count=1,
        steps=family.steps,
        guidance=family.layout_guidance if layout else family.guidance,
        source=source,
    )


def why_too_small(region: Region, mpp: float, family: Family, name: str) -> str:
    """Say that a region is smaller than what a stain makes at once; empty if it is not."""
    height, width = region.shape_at(mpp, family.mpp)
    if min(height, width) >= family.tile:
        return ""
    return (
        f"{name} is {width * family.mpp:.0f} × {height * family.mpp:.0f} µm, and "
        f"{stain_name(family)} needs {family.tile * family.mpp:.0f} µm or more"
    )


@dataclass(eq=False)
class Asked:
    """Stains that were asked for: everything by value.

    Parameters
    ----------
    families : list of Family
        That read the same embedding.
    target : Target
        Where they land.
    source : Source
        For the records.
    seed : int
        Of all of them.
    layout : array, optional
        The cells that are held, (height, width).
    previews : bool
        Whether they are shown while they are made.
    job : EmbedJob, optional
        The embedding, while it is under way.
    """

    families: list[Family]
    target: Target
    source: Source
    seed: int
    layout: NDArray[Any] | None
    previews: bool
    job: EmbedJob | None = None


class Staining:
    """Stains regions of a session.

    Parameters
    ----------
    session : Session
        Its slide, regions, settings and queue.

    Attributes
    ----------
    asked : list of Asked
        What waits for its embedding, oldest first.
    last : Grid or None
        The stains that were queued last, as a grid of one row.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._missing: dict[str, str] = {}
        self._looked_at: tuple[NDArray[np.uint8], str] | None = None
        self._target: Target | None = None
        self.asked: list[Asked] = []
        self.last: Grid | None = None

    # -- which there are -----------------------------------------------------------------

    @property
    def families(self) -> list[Family]:
        """Every stain there is, installed or not."""
        return stain_families()

    def why_missing(self, family: Family) -> str:
        """Say what a stain needs that is not here; empty if it is all here."""
        if family.name not in self._missing:
            parts = missing(family)
            own = {"lora", "flow"}
            if not parts:
                text = ""
            elif {part.kind for part in parts} <= own:
                folder = parts[0].folder
                where = f": its files are not in “{folder.name}”" if folder else ""
                text = f"{family.title} is not installed{where}"
            else:
                base = next(part for part in parts if part.kind not in own)
                text = f"{family.title} needs its base: {base.hub_id or base.kind} is not installed"
            self._missing[family.name] = text
        return self._missing[family.name]

    def forget_missing(self) -> None:
        """Look again which stains are here."""
        self._missing.clear()

    @property
    def installed(self) -> list[Family]:
        """The stains that can be made here."""
        return [family for family in self.families if not self.why_missing(family)]

    @property
    def chosen(self) -> list[Family]:
        """The stains that will be made, in their usual order."""
        names = self._session.settings.stains.split(",")
        return [family for family in self.installed if family.name in names]

    def choose(self, name: str, on: bool) -> None:
        """Choose a stain, or no longer."""
        names = [family.name for family in self.chosen if family.name != name]
        self._session.settings.stains = ",".join([*names, name] if on else names)

    # -- what there is to say ------------------------------------------------------------

    def why_not(self) -> str:
        """Say why nothing can be stained now; empty if it can."""
        session, item = self._session, self._session.active
        if session.slide is None:
            return "Open a slide first"
        if session.slide.mpp is None:
            return "Set the pixel size first"
        if item is None:
            return "Add a region first"
        if not self.chosen:
            return "Choose a stain"
        if item.layout_busy:
            return "Segmenting nuclei…"
        return self.why_too_small(item)

    def why_too_small(self, item: RegionItem) -> str:
        """Say that a region is smaller than a tile of a chosen stain; empty if it is not."""
        mpp = self._session.slide.mpp
        found = (why_too_small(item.region, mpp, family, item.name) for family in self.chosen)
        return next((text for text in found if text), "")

    def enlarge(self) -> None:
        """Make the active region as large as the chosen stains need."""
        session, item = self._session, self._session.active
        if item is None or not self.chosen:
            return
        largest = max(self.chosen, key=lambda family: family.tile * family.mpp)
        with session.reporting(SECTION):
            place = snap(item.region, session.slide.shape, session.slide.mpp, largest)
            session.move_region(item.number, place)

    def words(self) -> str:
        """Say what of the tissue the stains will keep, honestly."""
        settings, item = self._session.settings, self._session.active
        text = start_words(settings.stain_from, settings.stain_strength)
        held = item is not None and any(self._held(item, family) for family in self.chosen)
        return f"{text} The layout holds its cells." if held else text

    def warning(self) -> str:
        """Say that the active region does not look like H&E; empty if it does, or is unknown."""
        item = self._session.active
        pixels = item.pixels if item is not None else None
        if pixels is None:
            return ""
        if self._looked_at is None or self._looked_at[0] is not pixels:
            self._looked_at = (pixels, "")

            def looked(look: str) -> None:
                if self._looked_at is not None and self._looked_at[0] is pixels:
                    self._looked_at = (pixels, look)
                    self._session.changed.emit()

            self._session.background.compute(lambda: looks_like(pixels), looked, lambda _text: None)
        if self._looked_at[1] != "IHC":
            return ""
        return LOOKS_LIKE_IHC

    def sentence(self) -> str:
        """Say how the embedding for the stains is going; empty if nothing waits for one."""
        job = self.asked[0].job if self.asked else None
        return job.sentence() if job is not None else ""

    # -- making them -----------------------------------------------------------------------

    def stain(self) -> None:
        """Queue the chosen stains of the active region, once it is embedded for them."""
        session, item = self._session, self._session.active
        if self.why_not() or item is None:
            return
        session.say(SECTION, "")
        session.layout_wanted.emit()  # what is painted by now
        groups: dict[tuple[Any, ...], list[Family]] = {}
        for family in self.chosen:
            held = self._held(item, family)
            key = encoder_identity(family), family.tile, family.grid, family.mpp, held
            groups.setdefault(key, []).append(family)
        with session.reporting(SECTION):
            for (*_, held), together in groups.items():
                self._ask(item, together, bool(held))
        session.changed.emit()

    def cancel(self) -> None:
        """Stop embedding; what is queued goes on."""
        asked, self.asked = self.asked, []
        for one in asked:
            if one.job is not None:
                self._session.embedder.cancel(one.job)
        self._session.changed.emit()

    def _held(self, item: RegionItem, family: Family) -> bool:
        """Whether the cells of a region's layout are held by a stain."""
        if not family.takes_layout or item.layout is None or not item.cells:
            return False
        size = size_at(item.region, self._session.slide.mpp, family)
        return bool(item.layout.shape == size)

    def _ask(self, item: RegionItem, families: list[Family], held: bool) -> None:
        session, settings, first = self._session, self._session.settings, families[0]
        slide, place = session.slide, item.region
        size = size_at(place, slide.mpp, first)
        pixels = item.pixels if item.size == size else None
        start = None
        if settings.stain_from != NOISE:
            start = Beginning(
                slide,
                place,
                first,
                size,
                pixels,
                settings.stain_strength,
                None,
                0,
                invert=settings.stain_from == INVERSION,
            )
        target = Target(item.number, item.name, slide, place, slide.mpp, size, pixels, start)
        target.slide = item.slide
        asked = Asked(
            families,
            target,
            Source(
                session.export_name,
                (place.x, place.y, place.width, place.height),
                slide.mpp,
                item.layout_source if held else None,
            ),
            settings.seed,
            np.array(item.layout) if held else None,
            settings.previews,
        )
        self.asked.append(asked)

        def on_pixels(read: NDArray[np.uint8]) -> None:
            if target.pixels is None:
                target.pixels = read
                session.changed.emit()

        def on_style(style: PackedArray, _stored: bool) -> None:
            if asked in self.asked:
                self.asked.remove(asked)
                with session.reporting(SECTION):
                    self._queue(asked, style)

        def on_event(event: Event) -> None:
            if is_last(event) and asked in self.asked:
                failed(event.message if isinstance(event, Failure) else "")
            session.changed.emit()

        def failed(message: str) -> None:
            if asked in self.asked:
                self.asked.remove(asked)
                session.say(SECTION, message)

        asked.job = session.embedder.embed(
            slide, place, first, on_pixels, on_style, on_event, failed
        )

    def _queue(self, asked: Asked, style: PackedArray) -> None:
        session, families = self._session, asked.families
        held = asked.layout is not None
        requests = [
            stain_request(family, style, asked.target.size, asked.seed, asked.source, held)
            for family in families
        ]
        labels = tuple(stain_name(family) for family in families)
        title = f"virtual {', '.join(labels)}"
        job = session.generation.queue(
            requests, asked.target, asked.layout, title=title, previews=asked.previews
        )
        sweep = Sweep((Axis("family", tuple(family.name for family in families), labels),))
        self.last = Grid(job.number, f"{asked.target.name}, {title}", sweep, asked.seed)
        self._target = asked.target

    # -- looking at them -------------------------------------------------------------------

    @property
    def made(self) -> list[Result]:
        """Those of the stains queued last that are there."""
        if self.last is None:
            return []
        found = self._session.grids.pictures(self.last)
        return [result for result in found if result is not None]

    def keep(self) -> None:
        """Keep the stains queued last as layers over one another."""
        self._session.gallery.star(self.made)

    def sheet(self, done: Any, failed: Any) -> None:
        """Lay the tissue and its stains out side by side, see :meth:`Grids.sheet`."""
        if self.last is not None and self._target is not None:
            self._session.grids.sheet(
                self.last, done, failed, before=("tissue", self._target.pixels)
            )
