"""Embeddings that others computed: the ``.h5`` files of TRIDENT and CLAM. Imports no torch."""
