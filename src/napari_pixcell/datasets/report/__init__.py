"""A dataset told on one page of HTML that needs nothing else."""

from napari_pixcell.datasets.report.writing import write_report

__all__ = ["write_report"]
