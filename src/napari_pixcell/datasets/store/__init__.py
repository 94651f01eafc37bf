"""A dataset on disk: description, plan, rows, pair files, decisions and checks."""
