"""Synthetic tissue in napari, with PixCell.

The names in ``__all__`` are the public Python API. They are imported when they are first used, so
that ``import napari_pixcell`` is quick and imports neither torch nor Qt. Their types are in
``__init__.pyi``.
"""

from napari_pixcell.late import late
from napari_pixcell.stability import with_moved

__version__ = "0.1.0"

_NAMES = {
    "api.datasets": ("PublicDataset as Dataset", "DatasetPair"),
    "api.engine": ("PublicEngine as Engine", "reproduce"),
    "api.layouts": ("Layout",),
    "api.measuring": ("measure_ihc",),
    "api.models": ("Model", "get_model", "list_models"),
    "api.progress": ("RequestCancelled",),
    "api.slides": ("open_slide", "sample_slide"),
    "api.styles": ("blend",),
    "api.training": ("train_control", "train_stain"),
    "api.variants": ("PublicVariant as Variant", "export"),
    "api.warning": ("PixCellWarning",),
    "datasets.export": ("read_record",),
    "engine.record": ("Record",),
    "engine.styles.style": ("Style", "read_style"),
    "errors": ("PixCellError",),
    "slides.region": ("Region",),
    "slides.slide": ("Slide",),
}
_MOVED: dict[str, tuple[str, str]] = {}  # former names: their present one, and since which release

__all__ = sorted(name.split(" as ")[-1] for names in _NAMES.values() for name in names)
__getattr__ = with_moved(late(__name__, _NAMES), _MOVED)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
