"""Families of checkpoints: which there are, where they lie, how they load."""
