"""Runs: processes that make a dataset, how they are followed, stopped and detached."""
