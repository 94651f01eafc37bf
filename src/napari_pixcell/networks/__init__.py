"""Networks with the tensor names of the published checkpoints."""
