"""Checks of an installed family on this machine, against published figures."""
