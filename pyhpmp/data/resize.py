"""Scaling: images bilinearly, as two small matrix products; labels to the nearest."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Number = TypeVar("Number", bound=np.generic)
Floats = npt.NDArray[np.float32]


@lru_cache(maxsize=64)
def interpolation(source: int, target: int) -> Floats:
    """(target, source) weights of linear interpolation between pixel centres, edges held."""
    position = np.clip((np.arange(target) + 0.5) * source / target - 0.5, 0, source - 1)
    left = np.minimum(position.astype(np.int64), source - 1)
    right = np.minimum(left + 1, source - 1)
    share = position - left
    weights = np.zeros((target, source))
    weights[np.arange(target), left] += 1 - share
    weights[np.arange(target), right] += share
    result = weights.astype(np.float32)
    result.setflags(write=False)  # callers share it
    return result


def resized(images: Floats, height: int, width: int) -> Floats:
    """(..., h, w) to (..., height, width)."""
    h, w = images.shape[-2:]
    if (h, w) == (height, width):
        return images
    rows, columns = interpolation(h, height), interpolation(w, width)
    return np.asarray(rows @ images @ columns.T, dtype=np.float32)


def nearest(labels: npt.NDArray[Number], height: int, width: int) -> npt.NDArray[Number]:
    """(..., h, w) to (..., height, width): the label at each new pixel's centre."""
    h, w = labels.shape[-2:]
    rows = (2 * np.arange(height) + 1) * h // (2 * height)
    columns = (2 * np.arange(width) + 1) * w // (2 * width)
    return labels[..., rows[:, None], columns]
