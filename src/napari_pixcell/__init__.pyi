from napari_pixcell.api.datasets import DatasetPair as DatasetPair
from napari_pixcell.api.datasets import PublicDataset as Dataset
from napari_pixcell.api.engine import PublicEngine as Engine
from napari_pixcell.api.engine import reproduce as reproduce
from napari_pixcell.api.layouts import Layout as Layout
from napari_pixcell.api.measuring import measure_ihc as measure_ihc
from napari_pixcell.api.models import Model as Model
from napari_pixcell.api.models import get_model as get_model
from napari_pixcell.api.models import list_models as list_models
from napari_pixcell.api.progress import RequestCancelled as RequestCancelled
from napari_pixcell.api.slides import open_slide as open_slide
from napari_pixcell.api.slides import sample_slide as sample_slide
from napari_pixcell.api.styles import blend as blend
from napari_pixcell.api.training import train_control as train_control
from napari_pixcell.api.training import train_stain as train_stain
from napari_pixcell.api.variants import PublicVariant as Variant
from napari_pixcell.api.variants import export as export
from napari_pixcell.api.warning import PixCellWarning as PixCellWarning
from napari_pixcell.datasets.export import read_record as read_record
from napari_pixcell.engine.record import Record as Record
from napari_pixcell.engine.styles.style import Style as Style
from napari_pixcell.engine.styles.style import read_style as read_style
from napari_pixcell.errors import PixCellError as PixCellError
from napari_pixcell.slides.region import Region as Region
from napari_pixcell.slides.slide import Slide as Slide

__version__: str
__all__ = [
    "Dataset",
    "DatasetPair",
    "Engine",
    "Layout",
    "Model",
    "PixCellError",
    "PixCellWarning",
    "Record",
    "Region",
    "RequestCancelled",
    "Slide",
    "Style",
    "Variant",
    "blend",
    "export",
    "get_model",
    "list_models",
    "measure_ihc",
    "open_slide",
    "read_record",
    "read_style",
    "reproduce",
    "sample_slide",
    "train_control",
    "train_stain",
]
