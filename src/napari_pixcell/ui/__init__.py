"""The napari dock and its layers: the only place that imports Qt and napari."""
