"""Slide backends: one file per library."""
