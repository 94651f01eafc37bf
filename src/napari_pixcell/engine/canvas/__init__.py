"""Pictures larger than one tile: window plan, painter and disk store."""
