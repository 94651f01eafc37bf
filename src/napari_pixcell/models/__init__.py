"""Families of checkpoints: catalogue, download, search on disk, and loading."""
