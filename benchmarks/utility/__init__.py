"""Do synthetic pairs help a segmenter? See README.md in this folder."""
