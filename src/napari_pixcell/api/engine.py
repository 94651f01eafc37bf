"""The engine of the public API."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.api.arguments import check_fits, on_slide, source_for, start_image, whole
from napari_pixcell.api.layouts import IMPORTED, Layout
from napari_pixcell.api.progress import RequestCancelled, WantedProgress
from napari_pixcell.api.running import InProcess, InWorker, RequestRunner
from napari_pixcell.api.slides import SlideLike, open_slide
from napari_pixcell.api.styles import OWN, check_style, shares
from napari_pixcell.api.variants import PublicVariant
from napari_pixcell.api.warning import warn
from napari_pixcell.cells.methods import LayoutSource, SegmentMethod
from napari_pixcell.engine.chosen_region import ChosenRegion, stain_of_region
from napari_pixcell.engine.colour_match import OFF, colour_match, colour_setting
from napari_pixcell.engine.events import Embedding, Emit, Event, SegmentedLayout, Variant, Verified
from napari_pixcell.engine.presets import EXACT, get_preset
from napari_pixcell.engine.record import NEUTRAL, Record
from napari_pixcell.engine.repair import Repair
from napari_pixcell.engine.reproducing import ReproduceRequest
from napari_pixcell.engine.request_values import GenerateRequest, check_published
from napari_pixcell.engine.requests import (
    LARGEST_SEARCH,
    STAIN_STRENGTH,
    GenerationSettings,
    generate_request,
    read_tissue,
    segment_request,
    stain_warning,
    tile_size,
    why_too_small,
)
from napari_pixcell.engine.styles.blending import for_family
from napari_pixcell.engine.styles.pictures import check_picture_size, open_picture
from napari_pixcell.engine.styles.style import Style
from napari_pixcell.engine.tissue import slide_signature
from napari_pixcell.engine.withheld_start import with_start
from napari_pixcell.errors import PixCellError, check_range
from napari_pixcell.models.families import find_stain, get_family
from napari_pixcell.models.store import encoder_kind, require
from napari_pixcell.slides.region import Region
from napari_pixcell.stability import public
from napari_pixcell.verification.report import VerificationReport
from napari_pixcell.verification.request import VerifyRequest
from napari_pixcell.words import counted

Where = Literal["here", "worker"]
BACKENDS: dict[str, Callable[[], InProcess | InWorker]] = {"here": InProcess, "worker": InWorker}
BUILT_IN_METHOD = "builtin"
E = TypeVar("E", bound=Event)


@public("Engine")
class PublicEngine:
    """Embeds, segments, generates and stains, with one family of models.

    Models are loaded when they are needed. Leaving the ``with`` block, also by an error, frees
    their memory. An engine may be used from several threads, which wait for each other.

    Parameters
    ----------
    family : str
        Name of a family: ``demo``, ``pixcell-256-cells``, or another of :func:`list_models`.
    where : "here" or "worker"
        Run the models in this process, or in a process of their own, as napari does. Pixels are
        the same. With ``worker``, this process never imports torch.
    progress : bool or callable
        True shows a bar of tqdm. A function is called with the number of finished steps, the
        number of all steps (0 if unknown) and a text, in your thread. If it returns False, the
        request is cancelled. If it raises, the request ends and the error is raised.

    Attributes
    ----------
    family : str
        Name of the family.
    mpp : float
        Pixel size of its images in µm.
    tile : int
        Side of the square that it generates at once, in px.

    Raises
    ------
    PixCellError
        If there is no such family, or ``where`` is neither.

    Examples
    --------
    >>> import napari_pixcell as pixcell
    >>> slide = pixcell.sample_slide()
    >>> region = slide.region_um(x=64, y=64, width=128, height=128)
    >>> with pixcell.Engine("demo") as engine:
    ...     style = engine.embed(slide, region)
    ...     layout = engine.segment(slide, region)
    ...     variants = engine.generate(style, layout, count=4, seed=1)
    """

    def __init__(
        self, family: str = "demo", *, where: Where = "here", progress: WantedProgress = False
    ) -> None:
        self._family = get_family(family)
        if where not in BACKENDS:
            raise PixCellError(
                f"The place “{where}” is unknown. Choose one of: {', '.join(BACKENDS)}."
            )
        self.family, self.mpp, self.tile = family, self._family.mpp, self._family.tile
        self._runner: RequestRunner | None = RequestRunner(BACKENDS[where](), progress)

    # -- tissue ----------------------------------------------------------------------------

    def read(self, slide: SlideLike, region: Region | None = None) -> NDArray[np.uint8]:
        """Read the tissue of a region at the pixel size of the family.

        Parameters
        ----------
        slide : Slide, str, Path or array
        region : Region, optional
            By default the whole slide.

        Returns
        -------
        array, uint8, (height, width, 3)
            It has the size of the layouts and variants of the region.

        Raises
        ------
        PixCellError
            If the slide has no pixel size, or the region does not fit it.
        """
        chosen = self._chosen(slide, region)
        return read_tissue(chosen.slide, chosen.region, self._family)

    def embed(
        self,
        source: SlideLike,
        region: Region | None = None,
        *,
        mpp: float | None = None,
        name: str = OWN,
        cache: bool = True,
    ) -> Style:
        """Embed a region, or a whole image, as a style.

        Parameters
        ----------
        source : Slide, str, Path or array
            Slide of the region. Without a region, an image of at least one tile, whose whole area
            becomes the style: a file, or (height, width, 3) uint8 pixels.
        region : Region, optional
        mpp : float, optional
            Pixel size of the source in µm, if it states none.
        name : str
            Name in records of variants.
        cache : bool
            Whether to look the embedding up in the cache of the user, and keep it there.

        Returns
        -------
        Style
            Embedding of float32 (rows, columns, dimension), with the colours of the tissue.

        Raises
        ------
        PixCellError
            If the source cannot be read, is too small or too large, or has no pixel size.
        """
        if region is None and isinstance(source, str | Path):
            picture = open_picture(Path(source), self._family, mpp)
            warn(picture.note)
            chosen = ChosenRegion.whole(self._family, picture.slide)
        elif region is None:
            slide = open_slide(source, mpp)
            check_picture_size("The image", slide, self._family)
            chosen = ChosenRegion.whole(self._family, slide)
        else:
            chosen = self._chosen(open_slide(source, mpp), region)
        return chosen.style(name, self._embedding(chosen, cache))

    def segment(
        self,
        slide: SlideLike,
        region: Region | None = None,
        *,
        method: str = BUILT_IN_METHOD,
        **settings: Any,
    ) -> Layout:
        """Segment the nuclei of a region.

        Parameters
        ----------
        slide : Slide, str, Path or array
        region : Region, optional
            By default the whole slide.
        method : "builtin" or "cellpose"
            Cellpose needs its weights, see :func:`get_model`.
        **settings
            ``smallest_um2`` and ``largest_um2`` (areas); ``sensitivity`` (-1 to 1) of the built-in
            method; ``model``, ``diameter`` (µm), ``flow_threshold`` and ``cellprob_threshold`` of
            Cellpose.

        Returns
        -------
        Layout
            At the family's pixel size.

        Raises
        ------
        PixCellError
            If a setting is unknown or out of range, or the region is too large or does not fit.
        """
        known = set(SegmentMethod.__dataclass_fields__) - {"method"}
        if unknown := sorted(set(settings) - known):
            raise PixCellError(
                f"There is no setting {unknown[0]}. Choose some of: {', '.join(sorted(known))}."
            )
        how, chosen = SegmentMethod(method, **settings), self._chosen(slide, region)
        if math.prod(chosen.size) > LARGEST_SEARCH:
            side = math.isqrt(LARGEST_SEARCH)
            raise PixCellError(
                f"At most {side} × {side} px can be segmented at once. Choose a smaller region."
            )
        pixels = chosen.slide.read(chosen.region, self.mpp)
        how.check_area(pixels.shape[:2], self.mpp)
        warn(chosen.slide.corrupt_note(chosen.region))
        if method != BUILT_IN_METHOD:
            found = self._answer(segment_request(pixels, self.mpp, how), SegmentedLayout)
            return on_slide(chosen, found.labels, source=found.source)
        from napari_pixcell.cells import segment_nuclei  # needs no torch

        labels = segment_nuclei(
            pixels, self.mpp, how.sensitivity, how.smallest_um2, largest_um2=how.largest_um2
        )
        return on_slide(chosen, labels, source=LayoutSource(method))

    def read_layout(
        self,
        path: str | Path,
        slide: SlideLike,
        region: Region | None = None,
        *,
        cells_mpp: float | None = None,
        counted_from: str = "auto",
        image: str = "",
        split_touching: bool = False,
    ) -> Layout:
        """Read cells of any supported format as the layout of a region.

        Parameters
        ----------
        path : str or Path
            GeoJSON, COCO, XML, a label image, ImageJ ROIs and others.
        slide : Slide, str, Path or array
            Slide of the cells.
        region : Region, optional
            By default the whole slide.
        cells_mpp : float, optional
            Pixel size of the cells in µm, if it is not the one that the file states.
        counted_from : "auto", "slide" or "region"
            Corner that coordinates of outlines start at.
        image : str
            Image in a file of several. By default the slide's.
        split_touching : bool
            Split touching cells of a black and white mask.

        Warns
        -----
        PixCellWarning
            If cells were dropped or changed.

        Raises
        ------
        PixCellError
            If the file cannot be read, or has no cells in the region.
        """
        from napari_pixcell.cells import cells_for, read_cells

        if counted_from not in ("auto", "slide", "region"):
            raise PixCellError(
                f"Coordinates cannot be counted from “{counted_from}”. Choose auto, slide or "
                "region."
            )
        if cells_mpp is not None:
            check_range("pixel size of the cells", cells_mpp, 0.01, 50, " µm")
        chosen = self._chosen(slide, region)
        own = chosen.slide
        file = read_cells(path, image=image or own.short_name, split_touching=split_touching)
        labels, classes, report = cells_for(
            file.with_mpp(cells_mpp), chosen.region, chosen.size, own.shape, own.mpp, counted_from
        )
        if report.dropped or report.changed:
            warn(str(report))
        return on_slide(chosen, labels, classes=classes, source=IMPORTED)

    # -- images ----------------------------------------------------------------------------

    def generate(
        self,
        style: Style | None,
        layout: Layout | None = None,
        *,
        count: int = 4,
        seed: int = 1234,
        slide: SlideLike | None = None,
        region: Region | None = None,
        size: tuple[int, int] | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        layout_strength: float = 1.0,
        preset: str = EXACT.name,
        colours: str | None = None,
        start: NDArray[np.uint8] | None = None,
        strength: float | None = None,
        part: NDArray[Any] | None = None,
        feather: float | None = None,
        repair: int | Repair | None = None,
        name: str = NEUTRAL,
    ) -> list[PublicVariant]:
        """Generate variants of a style, whose cells follow a layout.

        Parameters
        ----------
        style : Style or None
            None generates any tissue.
        layout : Layout, optional
            At the family's pixel size, see :meth:`Layout.resampled`.
        count : int
            Number of variants, 1 to 1000.
        seed : int
            Seed of the first one. Variant *i* has ``seed + i``.
        slide, region : Slide and Region, optional
            Where the variants belong. They get its size, and their records its position. By default
            those of the layout.
        size : (height, width), optional
            Size in px, without layout and region. By default one tile.
        steps, guidance : int and float, optional
            Denoising steps and guidance scale. By default the family's.
        layout_strength : float
            How strongly the layout acts, 0 to 2.
        preset : str
            ``exact``, ``balanced``, ``quick``, or ``published`` for the published method.
        colours : "off", "gentle" or "full", optional
            How colours are matched to the tissue of the style. By default as the family does.
        start : array, uint8, (height, width, 3), optional
            Image to start from, such as :meth:`read` returns.
        strength : float, optional
            How much of it changes, 0 to 1. By default 0.6.
        part : array, (height, width), optional
            The start image changes only where this is not 0.
        feather : float, optional
            Width of the blend around that part in µm. By default 8.
        repair : int or Repair, optional
            Find nuclei that do not follow the layout, and generate these spots again in at most
            this many rounds.
        name : str
            Name in records and files. It should identify nobody.

        Returns
        -------
        list of Variant

        Warns
        -----
        PixCellWarning
            If colours were asked for and the tissue of the style is unknown.

        Raises
        ------
        PixCellError
            If the parts do not fit each other, or a value is out of range.
        RequestCancelled
            If it was cancelled. Variants that were finished are in its ``finished``.
        """
        family = self._family
        check_published(get_preset(preset), start)
        setting = colour_setting(colours, family, preset)
        chosen = self._place(slide, region, name)
        wanted = self._size(layout, chosen, size)
        how = start_image(self.mpp, start, strength, part, feather)
        if style is not None:
            self._check_style(style)
            if colours == setting != OFF and style.colours is None:
                warn(
                    f"The colours are not matched, because the tissue of “{style.name}” is unknown."
                )
        request = generate_request(
            family,
            GenerationSettings.for_family(
                family,
                layout=layout is not None,
                count=count,
                seed=seed,
                steps=steps,
                guidance=guidance,
                layout_strength=layout_strength,
                preset=preset,
            ),
            size=wanted,
            embedding=None if style is None else for_family(style.embedding, family),
            layout=None if layout is None else layout.labels,
            classes=None if layout is None else layout.classes,
            source=replace(
                source_for(chosen, layout, name),
                style=() if style is None else shares(style),
                slide=slide_signature(chosen.slide) if chosen is not None and how else "",
            ),
            start=how,
            colour_match=colour_match(setting, None if style is None else style.colours),
        )
        if repair is not None:
            if layout is None:
                raise PixCellError(
                    "A repair compares nuclei with a layout. Pass one, or no repair."
                )
            repair = repair if isinstance(repair, Repair) else Repair(repair)
        return self._variants(replace(request, repair=repair))

    def stain(
        self,
        stain: str,
        slide: SlideLike,
        region: Region | None = None,
        *,
        layout: Layout | None = None,
        keep: float | None = None,
        invert: bool | None = None,
        published: bool = False,
        seed: int = 1234,
        steps: int | None = None,
        cache: bool = True,
        name: str = NEUTRAL,
    ) -> PublicVariant:
        """Stain a region of H&E virtually.

        Parameters
        ----------
        stain : str
            Name of a stain: ``ki67``, ``her2``, …, ``demo-ki67``, or your own.
        slide : Slide, str, Path or array
        region : Region, optional
            By default the whole slide.
        layout : Layout, optional
            Cells to keep in position, for stains that support it.
        keep : float, optional
            How much of the tissue is kept, 0 (start from noise) to 1. By default 0.5.
        invert : bool, optional
            Start from the noise that the tissue inverts to, which needs no seed (the default), or
            mix noise into the tissue.
        published : bool
            By the published method: from noise, which does not keep cells in position.
        seed : int
        steps : int, optional
            Denoising steps. By default the stain's.
        cache, name
            As for :meth:`embed` and :meth:`generate`.

        Returns
        -------
        Variant

        Warns
        -----
        PixCellWarning
            If the tissue looks like IHC already.

        Raises
        ------
        PixCellError
            If there is no such stain, it is not installed, or the region is too small for it.
        """
        family = find_stain(stain)
        if published and (keep is not None or invert):
            raise PixCellError("The published method starts from noise. Omit keep and invert.")
        if keep is not None:
            check_range("part of the tissue to keep", keep, 0, 1)
        if layout is not None and not family.takes_layout:
            raise PixCellError(
                f"{family.title} does not support layouts. Omit it, or choose another stain."
            )
        for one in family.parts:  # before anything heavy
            require(family, one)
        opened = open_slide(slide)
        asked = region or whole(opened)
        if problem := why_too_small(asked, opened.require_mpp(), family, "The region"):
            raise PixCellError(f"{problem}. Choose a larger region.")
        chosen = ChosenRegion.fitted(family, opened, asked, name)
        if layout is not None:
            check_fits(layout, family, chosen.size)
        pixels = read_tissue(chosen.slide, chosen.region, family)
        warn(stain_warning(pixels))
        kept = 0.0 if published else 1 - STAIN_STRENGTH if keep is None else keep
        request = stain_of_region(
            chosen,
            pixels,
            self._embedding(chosen, cache),
            strength=1 - kept,
            invert=invert,
            seed=seed,
            steps=steps,
            layout=False if layout is None else layout.labels,
            classes={} if layout is None else layout.classes,
            published=published,
        )
        return self._variants(request)[0]

    def reproduce(
        self, record: Record | PublicVariant | str | Path, slide: str | Path | None = None
    ) -> PublicVariant:
        """Reproduce the variant of a record.

        Parameters
        ----------
        record : Record, Variant, str or Path
            Also an exported image, or a record in a file.
        slide : str or Path, optional
            Slide or image that it started from, if the record holds only its hash.

        Returns
        -------
        Variant
            With the same pixels on the same device. ``record.sha256`` is that of its pixels.

        Raises
        ------
        PixCellError
            If the file has no record, other weights are installed, or the start image is missing.
        """
        from napari_pixcell.datasets import read_record

        if isinstance(record, PublicVariant):
            record = record.record
        elif isinstance(record, str | Path):
            record = read_record(record)
        if slide is not None:
            record = with_start(record, Path(slide))
        found = self._answer(ReproduceRequest(record), Variant)
        return PublicVariant(found.image, found.record)

    def verify(self, folder: str | Path = "", *, download: bool = False) -> VerificationReport:
        """Compare the family on this machine with its published figures.

        Parameters
        ----------
        folder : str or Path
            Copy of PixCell-sample-data. The demo families have a bundled one.
        download : bool
            Whether the sample data (35 MB) may be downloaded if they are missing.

        Returns
        -------
        VerificationReport
            ``failed`` is True if a check failed; ``table()`` shows all of them.

        Raises
        ------
        PixCellError
            If a part of the family, or the samples, are missing.
        """
        for part in self._family.parts:
            require(self._family, part)
        request = VerifyRequest(self.family, str(folder), download)
        return VerificationReport.from_dict(self._answer(request, Verified).report)

    # -- running ---------------------------------------------------------------------------

    def run(self, request: Any, on_event: Emit) -> None:
        """Run a request of any kind, such as that of a dataset.

        Parameters
        ----------
        request
            See :data:`napari_pixcell.worker.requests.AnyRequest`.
        on_event : callable
            Receives its results, in this thread.

        Raises
        ------
        PixCellError
            If it cannot be run.
        RequestCancelled
            If it was cancelled.
        """
        if not self._open().run(request, on_event):
            raise RequestCancelled()

    def cancel(self) -> None:
        """Cancel the running request, from another thread; it raises RequestCancelled there."""
        if self._runner is not None:
            self._runner.cancel()

    def free(self) -> None:
        """Free the memory of the models. The next request loads them again."""
        self._open().backend.free()

    def close(self) -> None:
        """Free the memory of the models, and end the worker process if there is one."""
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.cancel()
            runner.backend.free()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Engine({self.family!r}{', closed' if self._runner is None else ''})"

    def _open(self) -> RequestRunner:
        if self._runner is None:
            raise PixCellError("This engine is closed. Open a new one.")
        return self._runner

    def _answer(self, request: Any, kind: type[E]) -> E:
        found: list[E] = []

        def on_event(event: Event) -> None:
            if isinstance(event, kind):
                found.append(event)

        self.run(request, on_event)
        return found[0]

    def _variants(self, request: GenerateRequest) -> list[PublicVariant]:
        found: list[PublicVariant] = []

        def on_event(event: Event) -> None:
            if isinstance(event, Variant):
                found.append(PublicVariant(event.image, event.record))

        if not self._open().run(request, on_event):
            were = counted(len(found), "variant was", "variants were")
            raise RequestCancelled(f"The request was cancelled. {were} finished.", found)
        return found

    def _embedding(self, chosen: ChosenRegion, cache: bool) -> NDArray[np.float32]:
        values, _ = chosen.embedding(lambda request: self._answer(request, Embedding), cache)
        warn(chosen.slide.corrupt_note(chosen.region))
        return values

    def _chosen(
        self, source: SlideLike, region: Region | None, name: str = NEUTRAL
    ) -> ChosenRegion:
        slide = open_slide(source)
        return ChosenRegion.fitted(self._family, slide, region or whole(slide), name)

    def _place(
        self, slide: SlideLike | None, region: Region | None, name: str
    ) -> ChosenRegion | None:
        if (slide is None) != (region is None):
            raise PixCellError("The place of a variant needs both slide and region.")
        return None if slide is None else self._chosen(slide, region, name)

    def _size(
        self, layout: Layout | None, chosen: ChosenRegion | None, size: tuple[int, int] | None
    ) -> tuple[int, int]:
        """Return height and width of the variants, in px."""
        if size is not None and (layout is not None or chosen is not None):
            raise PixCellError("The size is that of the layout or region. Omit size.")
        if layout is None:
            wanted = size or (tile_size(self._family) if chosen is None else chosen.size)
            height, width = (int(side) for side in wanted)
            return height, width
        if not self._family.takes_layout:
            raise PixCellError(
                f"{self._family.title} does not support layouts. Omit it, or choose another family."
            )
        return check_fits(layout, self._family, None if chosen is None else chosen.size)

    def _check_style(self, style: Style) -> None:
        check_style(style)
        if problem := style.why_not(self._family, encoder_kind(self._family)):
            raise PixCellError(problem)


def reproduce(
    record: Record | PublicVariant | str | Path,
    slide: str | Path | None = None,
    *,
    engine: PublicEngine | None = None,
) -> PublicVariant:
    """Reproduce the variant of a record, as :meth:`Engine.reproduce` does.

    Parameters
    ----------
    record, slide
        See there.
    engine : Engine, optional
        By default one in this process that is closed afterwards.
    """
    if engine is not None:
        return engine.reproduce(record, slide)
    with PublicEngine() as own:
        return own.reproduce(record, slide)
