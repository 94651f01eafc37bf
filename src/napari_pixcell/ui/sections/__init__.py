"""The sections of the dock, in the order of the work."""

from __future__ import annotations

from napari_pixcell.ui.sections.dataset import DatasetSection
from napari_pixcell.ui.sections.export import ExportSection
from napari_pixcell.ui.sections.generate import GenerateSection
from napari_pixcell.ui.sections.layout import LayoutSection
from napari_pixcell.ui.sections.measure import MeasureSection
from napari_pixcell.ui.sections.region import RegionSection
from napari_pixcell.ui.sections.results import ResultsSection
from napari_pixcell.ui.sections.slide import SlideSection
from napari_pixcell.ui.sections.stain import StainSection
from napari_pixcell.ui.sections.style import StyleSection

__all__ = [
    "DatasetSection",
    "ExportSection",
    "GenerateSection",
    "LayoutSection",
    "MeasureSection",
    "RegionSection",
    "ResultsSection",
    "SlideSection",
    "StainSection",
    "StyleSection",
]
