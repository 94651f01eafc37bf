"""Layouts of regions: painting, segmentation, import and invention."""
