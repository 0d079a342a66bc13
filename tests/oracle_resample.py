"""Resampling by its definition: one dense matrix per axis."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import torch


class Node(Protocol):
    """What is read of a node of the graph text."""

    attributes: dict[str, str]


def resampled(node: Node, x: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) to (N, C, *extent)."""
    extent = [int(i) for i in node.attributes.get("extent", "1,1").split(",")]
    rows, columns = (
        _matrix(node, axis, x.shape[2 + i], extent[i]) for i, axis in enumerate(("rows", "columns"))
    )
    inside = torch.outer(rows.any(dim=1), columns.any(dim=1))
    y = rows.to(x.dtype) @ x @ columns.to(x.dtype).T
    return torch.where(inside, y, float(node.attributes.get("border_value", 0.0)))


def _matrix(node: Node, axis: str, size: int, extent: int) -> torch.Tensor:
    """(extent, size) weights; zero rows where the position is outside and the border a value."""
    at = node.attributes
    shift, step, scale, offset = (np.float32(f) for f in at.get(axis, "0,1,1,0").split(","))
    border, how = at.get("border", "edge"), at.get("interpolation", "nearest")
    matrix = np.zeros((extent, size))
    for o in range(extent):
        x = float((np.float32(o) + shift) * step / scale + offset)
        if border == "constant" and not 0 <= x <= size - 1:
            continue
        stretch = max(1.0, abs(float(step / scale))) if at.get("antialias") == "1" else 1.0
        if how == "nearest":
            taps = {_nearest(x, at.get("rounding", "floor")): 1.0}
        else:
            near = range(math.floor(x - 2 * stretch), math.ceil(x + 2 * stretch) + 1)
            taps = {i: _weight(how, (i - x) / stretch, at) for i in near}
        if at.get("exclude_outside") == "1":
            taps = {i: w for i, w in taps.items() if 0 <= i < size}
        total = sum(taps.values())
        for i, w in taps.items():
            matrix[o, _inside(i, size, border)] += w / total
    return torch.from_numpy(matrix)


def _weight(how: str, x: float, attributes: dict[str, str]) -> float:
    x = abs(x)
    if how == "linear":
        return max(0.0, 1 - x)
    a = float(attributes.get("cubic_a", -0.75))
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0


def _nearest(x: float, rounding: str) -> int:
    return {
        "floor": math.floor(x),
        "ceil": math.ceil(x),
        "prefer_floor": math.ceil(x - 0.5),
        "prefer_ceil": math.floor(x + 0.5),
    }[rounding]


def _inside(i: int, size: int, border: str) -> int:
    if border == "wrap":
        return i % size
    if border == "reflect" and size > 1:
        i %= 2 * (size - 1)
        return min(i, 2 * (size - 1) - i)
    return min(max(i, 0), size - 1)
