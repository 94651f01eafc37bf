"""Networks under the names of their published checkpoints."""
