"""Whether the pairs of a dataset help to train a segmenter, measured on real labelled tiles."""
