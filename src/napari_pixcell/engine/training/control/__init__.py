"""Training of a user's own ControlNet from images and the masks of their cells."""
