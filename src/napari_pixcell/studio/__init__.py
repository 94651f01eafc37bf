"""The state of one working session, without Qt."""
