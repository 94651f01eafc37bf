"""A report about a dataset: one self-contained HTML page."""
