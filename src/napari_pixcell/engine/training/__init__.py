"""Training of a user's own stain from pairs of images."""
