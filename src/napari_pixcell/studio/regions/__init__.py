"""Regions of a session: data, geometry and what can be done with them."""
