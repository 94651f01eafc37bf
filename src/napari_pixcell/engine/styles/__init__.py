"""Styles: embeddings cached, blended, compared and kept in a library. No torch."""
