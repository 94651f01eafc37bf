"""Whether an open slide is still the file that was opened."""

from __future__ import annotations

from pathlib import Path

from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.content import content_key
from napari_pixcell.slides.zarr_content import zarr_file

Seen = tuple[int, ...]


class Watch:
    """A file, or the folder of a Zarr, as it was when it was opened.

    Attributes
    ----------
    key : str
        Its :func:`~napari_pixcell.slides.content.content_key`.

    Raises
    ------
    OSError
        If the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen = _seen(path)
        self.key = content_key(path)

    def check(self) -> None:
        """Raise PixCellError if another file lies there now; a missing one is not noticed."""
        try:
            seen = _seen(self.path)
            if seen == self._seen:
                return
            same = seen[:2] == self._seen[:2] and content_key(self.path) == self.key
        except OSError:
            return
        if not same:
            raise PixCellError(
                f"“{self.path.name}” was replaced or changed while it was open. Open it again."
            )
        self._seen = seen  # it was only renamed, or its drive numbers files anew


def _seen(path: Path) -> Seen:
    found = zarr_file(path).stat()
    return found.st_size, found.st_mtime_ns, found.st_ino, found.st_ctime_ns
