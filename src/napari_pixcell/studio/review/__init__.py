"""Review of the pairs of a dataset."""
