"""The engine of the public API, as users see it."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.api.backends import Where, open_backend
from napari_pixcell.api.cells import check_cells_file, read_cells_of, segment_cells, segment_method
from napari_pixcell.api.generation import (
    installed_stain,
    reproduce_request,
    stain_request,
    stained_tissue,
    start_image,
    variants_request,
)
from napari_pixcell.api.layouts import Layout
from napari_pixcell.api.places import fitted, fitted_or_none, fitted_to_stain
from napari_pixcell.api.progress import OnPreview, WantedProgress, check_on_preview
from napari_pixcell.api.running import RequestRunner
from napari_pixcell.api.slides import SlideLike, open_slide
from napari_pixcell.api.styles import OWN
from napari_pixcell.api.variants import PublicVariant
from napari_pixcell.api.warning import warn
from napari_pixcell.cells.methods import METHODS
from napari_pixcell.engine.chosen_region import ChosenRegion
from napari_pixcell.engine.events import Embedding, Emit, SegmentedLayout, Verified
from napari_pixcell.engine.presets import EXACT
from napari_pixcell.engine.record import NEUTRAL, Record
from napari_pixcell.engine.repair import Repair
from napari_pixcell.engine.requests import GenerationSettings, read_tissue
from napari_pixcell.engine.styles.pictures import check_picture_size, open_picture
from napari_pixcell.engine.styles.style import Style
from napari_pixcell.models.families import get_family
from napari_pixcell.models.store import require
from napari_pixcell.slides.region import Region
from napari_pixcell.stability import public
from napari_pixcell.verification.report import VerificationReport
from napari_pixcell.verification.request import VerifyRequest


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
        self.family, self.mpp, self.tile = family, self._family.mpp, self._family.tile
        self._runner = RequestRunner(open_backend(where), progress)

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
        chosen = fitted(self._family, slide, region)
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
            chosen = fitted(self._family, open_slide(source, mpp), region)
        return chosen.style(name, self._embedding(chosen, cache))

    def segment(
        self,
        slide: SlideLike,
        region: Region | None = None,
        *,
        method: str = METHODS[0],
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
        how = segment_method(method, settings)
        chosen = fitted(self._family, slide, region)
        return segment_cells(
            chosen, how, lambda request: self._runner.answer(request, SegmentedLayout)
        )

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
        check_cells_file(counted_from, cells_mpp)
        return read_cells_of(
            fitted(self._family, slide, region),
            path,
            cells_mpp=cells_mpp,
            counted_from=counted_from,
            image=image,
            split_touching=split_touching,
        )

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
        on_preview: OnPreview | None = None,
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
        on_preview : callable, optional
            Called with the number of a variant, from 0, and what it looks like so far: an array of
            (height, width, 3) uint8 pixels, an eighth of its size or less. It is called in your
            thread, after the first step and then at most once a second on a CPU, or 8 times on a
            GPU. If it raises, the request ends and the error is raised.

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
        check_on_preview(on_preview)
        settings = GenerationSettings.for_family(
            self._family,
            layout=layout is not None,
            count=count,
            seed=seed,
            steps=steps,
            guidance=guidance,
            layout_strength=layout_strength,
            preset=preset,
        )
        request = variants_request(
            self._family,
            style,
            layout,
            settings,
            place=fitted_or_none(self._family, slide, region, name),
            size=size,
            colours=colours,
            start=start_image(self.mpp, start, strength, part, feather),
            repair=repair,
            name=name,
        )
        return self._runner.variants(request, on_preview)

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
        on_preview: OnPreview | None = None,
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
        cache, name, on_preview
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
        check_on_preview(on_preview)
        family = installed_stain(
            stain, layout=layout, keep=keep, invert=invert, published=published
        )
        chosen = fitted_to_stain(family, slide, region, name)
        request = stain_request(
            chosen,
            stained_tissue(chosen, layout),
            self._embedding(chosen, cache),
            layout=layout,
            keep=keep,
            invert=invert,
            published=published,
            seed=seed,
            steps=steps,
        )
        return self._runner.variants(request, on_preview)[0]

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
        request = reproduce_request(record, slide)
        return self._runner.variants(request)[0]

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
        return VerificationReport.from_dict(self._runner.answer(request, Verified).report)

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
        self._runner.run(request, on_event)

    def cancel(self) -> None:
        """Cancel the running request, from another thread; it raises RequestCancelled there."""
        self._runner.cancel()

    def free(self) -> None:
        """Free the memory of the models. The next request loads them again."""
        self._runner.free()

    def close(self) -> None:
        """Free the memory of the models, and end the worker process if there is one."""
        self._runner.close()

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
        return f"Engine({self.family!r}{', closed' if self._runner.closed else ''})"

    def _embedding(self, chosen: ChosenRegion, cache: bool) -> NDArray[np.float32]:
        values, _ = chosen.embedding(lambda request: self._runner.answer(request, Embedding), cache)
        warn(chosen.slide.corrupt_note(chosen.region))
        return values


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
