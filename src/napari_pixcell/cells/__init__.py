"""Layouts of cells: import, segment, render as a condition."""
