"""The preparation of a dataset: its styles and layouts, computed in chunks by any processes."""
