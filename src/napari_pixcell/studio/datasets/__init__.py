"""Datasets made from a session."""
