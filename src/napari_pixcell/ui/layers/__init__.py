"""Layers of napari that show a session, and the tools that edit them."""
