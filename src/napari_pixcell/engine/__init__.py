"""Requests to events: the one place where a generation happens."""
