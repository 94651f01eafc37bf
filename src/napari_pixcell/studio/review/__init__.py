"""Reviewing the pairs of a dataset."""
