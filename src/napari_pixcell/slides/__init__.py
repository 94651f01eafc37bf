"""Files to regions in µm: no torch, no Qt."""
