"""Variants: synthetic images with the records that reproduce them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from napari_pixcell.engine.record import Record
from napari_pixcell.slides.region import AXES, UNITS, Region, placement
from napari_pixcell.slides.stored_picture import Picture
from napari_pixcell.stability import public


@public("Variant")
@dataclass(frozen=True, eq=False)
class PublicVariant:
    """A synthetic image, and the record that reproduces it.

    Parameters
    ----------
    image : array, uint8, (height, width, 3)
        An image that is too large for memory is on disk, and ``numpy.asarray(image)`` reads it.
    record : Record
        Its request, the hashes of the weights, and the versions it was made with.
    """

    image: Picture
    record: Record

    @property
    def seed(self) -> int:
        """Seed of its noise."""
        return self.record.request.seed

    @property
    def mpp(self) -> float:
        """Pixel size in µm."""
        return self.record.request.mpp

    @property
    def mask(self) -> NDArray[Any] | None:
        """Label image of its cells, (height, width); None if it has no layout."""
        return self.record.mask

    @property
    def layer(self) -> dict[str, Any]:
        """Arguments for ``viewer.add_image(variant.image, **variant.layer)`` in napari.

        They place the variant exactly over its region, in µm. Without a region it lies at 0.
        """
        source, shape = self.record.request.source, self.image.shape[:2]
        values = {"units": UNITS, "axis_labels": AXES, "rgb": True}
        if source.region is None or source.mpp is None:
            return {"scale": (self.mpp, self.mpp), **values}
        scale, translate = placement(Region(*source.region), source.mpp, shape)
        return {"scale": scale, "translate": translate, **values}

    def save(self, path: str | Path, with_start: bool = False) -> Path:
        """Write the image as PNG, with its record inside, and return the path.

        Parameters
        ----------
        path : str or Path
            Its suffix becomes ``.png``, or ``.ome.tif`` for an image that is on disk.
        with_start : bool
            Store the image that it started from, which may be tissue.

        Raises
        ------
        PixCellError
            If the file cannot be written.
        """
        from napari_pixcell.datasets.export import save_picture

        return save_picture(Path(path), self.image, self.record, with_start)

    def __repr__(self) -> str:
        height, width = self.image.shape[:2]
        return f"Variant(seed={self.seed}, {width} × {height} px, {self.mpp:g} µm/px)"


def export(
    variants: Iterable[PublicVariant],
    folder: str | Path,
    *,
    with_start: bool = False,
    drop_wrong: bool = False,
) -> list[Path]:
    """Write variants to a folder as image–mask pairs; pairs that it holds already are kept.

    Parameters
    ----------
    variants : iterable of Variant
    folder : str or Path
        Gets ``images/``, ``masks/`` and ``manifest.jsonl``.
    with_start : bool
        Store the images that variants started from, which may be tissue.
    drop_wrong : bool
        Leave nuclei out of the masks that the images do not show. They are known for variants that
        were generated with ``repair``.

    Returns
    -------
    list of Path
        The images.

    Raises
    ------
    PixCellError
        If the folder cannot be written. Earlier pairs stay complete.
    """
    from napari_pixcell.datasets import PairWriter

    writer, paths = PairWriter(Path(folder), with_start), []
    for variant in variants:
        record = variant.record.without_wrong() if drop_wrong else variant.record
        paths.append(writer.folder / writer.write(variant.image, record.mask, record)["image"])
    return paths
