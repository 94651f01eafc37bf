"""Writers of datasets for other programs."""

# By name, for menus and help. `converting.KINDS` are their writers.
FORMATS = {
    "cellpose": "Cellpose: x.tif and x_masks.tif in one folder",
    "stardist": "StarDist: folders images and masks, TIFF",
    "coco": "COCO: images, and their cells as RLE in a JSON file",
    "yolo": "YOLO segmentation: images, and polygons in text files",
    "huggingface": "Hugging Face imagefolder: images, masks and a dataset card",
    "webdataset": "WebDataset: tar files of 1,000 pairs each",
    "ome-zarr": "OME-Zarr 0.5: images with their labels",
    "spatialdata": "SpatialData: images, labels, and a table of each cell's measurements",
    "qupath": "QuPath project: TIFF images, and their cells as GeoJSON",
}

__all__ = ["FORMATS"]
