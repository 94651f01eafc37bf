"""The dock widget “Review pairs”."""
