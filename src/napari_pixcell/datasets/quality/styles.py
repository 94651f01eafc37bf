"""Whether a picture keeps the style that was asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def unit(vectors: NDArray[Any]) -> NDArray[np.float64]:
    """Give vectors, (..., dimension), the length 1; 0 stays 0."""
    vectors = np.asarray(vectors, np.float64)
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 1e-9)


def style_cosine(own: NDArray[Any], wanted: NDArray[Any]) -> float:
    """Give the cosine of the embeddings of a picture and of its style; grids count by their means.

    Parameters
    ----------
    own, wanted : array, float, (..., dimension)
    """
    a, b = (unit(one.reshape(-1, one.shape[-1]).mean(axis=0)) for one in (own, wanted))
    return float(a @ b)
