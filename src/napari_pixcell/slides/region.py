"""A rectangle on a slide, in level-0 pixels."""

from __future__ import annotations

from dataclasses import dataclass

from napari_pixcell.errors import PixCellError


@dataclass(frozen=True)
class Region:
    """A rectangle on a slide.

    Parameters
    ----------
    x, y : float
        Left and top edge in level-0 pixels.
    width, height : float
        Size in level-0 pixels.
    """

    x: float
    y: float
    width: float
    height: float

    @classmethod
    def parse(cls, text: str) -> Region:
        """Read ``x,y,w,h`` as typed on a command line."""
        try:
            x, y, width, height = (float(part) for part in text.split(","))
        except ValueError:
            raise PixCellError(
                f"The region “{text}” is not four numbers. Write it as x,y,width,height in "
                "level-0 pixels, for example 600,800,512,512."
            ) from None
        return cls(x, y, width, height)

    @classmethod
    def tile(
        cls, centre: tuple[float, float], side_px: int, model_mpp: float, mpp: float
    ) -> Region:
        """Return the region of one model tile.

        Parameters
        ----------
        centre : (x, y)
            In level-0 pixels.
        side_px : int
            Side of the tile in the model's pixels.
        model_mpp, mpp : float
            Pixel size of the model and of the slide's level 0, in µm.
        """
        side = side_px * model_mpp / mpp
        return cls(centre[0] - side / 2, centre[1] - side / 2, side, side)

    def shape_at(self, mpp: float, target_mpp: float) -> tuple[int, int]:
        """Return the rows and columns of this region when read at ``target_mpp`` µm/px."""
        factor = mpp / target_mpp
        return max(1, round(self.height * factor)), max(1, round(self.width * factor))

    def as_list(self) -> list[float]:
        """Return x, y, width, height."""
        return [self.x, self.y, self.width, self.height]
