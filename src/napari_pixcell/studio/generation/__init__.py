"""The generation queue: jobs, starting pictures, grids, live previews and pace."""
