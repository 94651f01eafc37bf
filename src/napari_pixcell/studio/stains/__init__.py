"""Virtual staining, and training of a user's own stain."""
