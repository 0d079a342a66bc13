"""Bilinear scaling of image batches, as two small matrix products."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def interpolation(source: int, target: int) -> Floats:
    """(target, source) weights of linear interpolation between pixel centres, edges held."""
    position = np.clip((np.arange(target) + 0.5) * source / target - 0.5, 0, source - 1)
    left = np.minimum(position.astype(np.int64), source - 1)
    right = np.minimum(left + 1, source - 1)
    share = position - left
    weights = np.zeros((target, source))
    weights[np.arange(target), left] += 1 - share
    weights[np.arange(target), right] += share
    return weights.astype(np.float32)


def resized(images: Floats, height: int, width: int) -> Floats:
    """(N, C, h, w) to (N, C, height, width)."""
    h, w = images.shape[2:]
    if (h, w) == (height, width):
        return images
    rows, columns = interpolation(h, height), interpolation(w, width)
    return np.asarray(rows @ images @ columns.T, dtype=np.float32)
