"""Sessions on disk: saved continuously to a folder, and opened again later."""
