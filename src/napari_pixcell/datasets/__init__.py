"""Variants to image–mask pairs on disk."""
