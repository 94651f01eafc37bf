"""The bundled demo family: weights, their credits, and the sample slide."""
