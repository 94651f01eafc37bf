"""The engine: turns requests into events. It needs no napari and no Qt."""
