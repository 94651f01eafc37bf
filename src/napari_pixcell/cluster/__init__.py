"""Datasets made on a cluster, with Dask distributed: the only package that imports it."""
