"""Styles: embeddings blended, compared, cached and saved in a library. No torch."""
