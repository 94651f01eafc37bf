"""A report about a dataset: one self-contained HTML page."""

from napari_pixcell.datasets.report.writing import write_report

__all__ = ["write_report"]
