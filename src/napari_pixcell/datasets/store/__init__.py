"""A dataset on disk: description, rows, pair files, decisions and checks."""
