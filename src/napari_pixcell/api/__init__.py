"""The public Python API. Its names are imported from :mod:`napari_pixcell`, when they are used."""
