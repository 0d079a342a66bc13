"""The shape that a Reshape, Squeeze, Unsqueeze or Flatten gives its input."""

from __future__ import annotations

import math

import numpy as np

from onnx_import.attributes import Attributes
from onnx_import.errors import Unsupported


def new_shape(
    op: str, attributes: Attributes, shape: tuple[int, ...], argument: np.ndarray | None
) -> tuple[int, ...]:
    """The shape after a Reshape, Squeeze, Unsqueeze or Flatten of `shape`."""
    if op == "Reshape":
        keep_zero = bool(attributes.integer("allowzero", 0))
        return _target(shape, ints(argument), keep_zero)
    if op == "Flatten":
        axis = attributes.integer("axis", 1)
        axis += len(shape) if axis < 0 else 0
        return (math.prod(shape[:axis]), math.prod(shape[axis:]))
    axes = set(ints(argument))
    if op == "Unsqueeze":
        rank = len(shape) + len(axes)
        added = {a % rank for a in axes}
        if len(added) < len(axes):
            raise Unsupported("its axes name a dimension twice")
        left = iter(shape)
        return tuple(1 if i in added else next(left) for i in range(rank))
    dropped = {a % max(len(shape), 1) for a in axes}
    if argument is None:
        dropped = {i for i, d in enumerate(shape) if d == 1}
    if any(shape[i : i + 1] != (1,) for i in dropped):
        raise Unsupported(f"squeezes an axis of {list(shape)} that is not 1")
    return tuple(d for i, d in enumerate(shape) if i not in dropped)


def _target(shape: tuple[int, ...], target: list[int], keep_zero: bool) -> tuple[int, ...]:
    total = math.prod(shape)
    if not keep_zero:
        if any(d == 0 for d in target[len(shape) :]):
            raise Unsupported(f"cannot reshape {list(shape)} to {target}")
        target = [shape[i] if d == 0 else d for i, d in enumerate(target)]
    if target.count(-1) == 1:
        rest = math.prod(d for d in target if d != -1)
        if rest <= 0 or total % rest:
            raise Unsupported(f"cannot reshape {list(shape)} to {target}")
        target = [total // rest if d == -1 else d for d in target]
    if any(d < 0 for d in target) or math.prod(target) != total:
        raise Unsupported(f"cannot reshape {list(shape)} to {target}")
    return tuple(target)


def ints(array: np.ndarray | None) -> list[int]:
    return [] if array is None else [int(i) for i in array.reshape(-1)]
