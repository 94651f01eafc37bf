"""Styles of regions: choice, blends, series and the library."""
