"""Evaluators that see a constant in another shape, and the shapes that they make."""

from __future__ import annotations

import math

import numpy as np
import onnx

from onnx_import.attributes import Attributes
from onnx_import.errors import Unsupported
from onnx_import.fold.table import Array, Call, axis_of, folder, ints, size_of
from onnx_import.values import BATCH_POINTS, Known, Tensor


def shape_of(node: onnx.NodeProto, value: Known | Tensor) -> Known:
    """Shape or Size of a value, at both batch points."""
    attributes = Attributes(node)

    def result(shape: tuple[int, ...]) -> Array:
        if node.op_type == "Size":
            return np.array(math.prod(shape), dtype=np.int64)
        end = attributes.integer("end", len(shape))
        return np.array(shape[attributes.integer("start", 0) : end], dtype=np.int64)

    if isinstance(value, Known):
        first, second = (result(array.shape) for array in value.at)
    else:
        first, second = (result((batch, *value.dims)) for batch in BATCH_POINTS)
    return Known.same(first) if np.array_equal(first, second) else Known((first, second))


@folder("Identity", origin="view")
def same(call: Call, x: Array) -> Array:
    return x


@folder("Reshape", "Squeeze", "Unsqueeze", "Flatten", origin="view")
def reshaped(call: Call, x: Array, argument: Array | None = None) -> Array:
    shape = new_shape(call.node.op_type, call.attributes, x.shape, argument)
    if not x.flags.c_contiguous:
        call.make(shape, x.dtype)
    return x.reshape(shape)


@folder("Transpose", origin="view")
def transposed(call: Call, x: Array) -> Array:
    return x.transpose(call.attributes.integers("perm"))


@folder("Expand")
def expanded(call: Call, x: Array, target: Array) -> Array:
    shape = np.broadcast_shapes(x.shape, tuple(ints(target)))
    call.budget.check_shape(shape, call.label)
    return np.broadcast_to(x, shape)


def new_shape(
    op: str, attributes: Attributes, shape: tuple[int, ...], argument: Array | None
) -> tuple[int, ...]:
    """The shape after a Reshape, Squeeze, Unsqueeze or Flatten of `shape`."""
    if op == "Reshape":
        if argument is None:
            raise Unsupported("it has no target shape")
        return _reshape_target(shape, ints(argument), bool(attributes.integer("allowzero", 0)))
    if op == "Flatten":
        axis = attributes.integer("axis", 1)
        axis = axis if axis == len(shape) else axis_of(axis, len(shape))
        return (size_of(shape[:axis]), size_of(shape[axis:]))
    if op == "Unsqueeze":
        return _unsqueezed(shape, ints(argument))
    return _squeezed(shape, None if argument is None else ints(argument))


def _unsqueezed(shape: tuple[int, ...], axes: list[int]) -> tuple[int, ...]:
    rank = len(shape) + len(axes)
    added = {axis_of(a, rank) for a in axes}
    if len(added) < len(axes):
        raise Unsupported("its axes name a dimension twice")
    left = iter(shape)
    return tuple(1 if i in added else next(left) for i in range(rank))


def _squeezed(shape: tuple[int, ...], axes: list[int] | None) -> tuple[int, ...]:
    if axes is None:
        return tuple(d for d in shape if d != 1)
    dropped = {axis_of(a, len(shape)) for a in axes}
    if any(shape[i] != 1 for i in dropped):
        raise Unsupported(f"squeezes an axis of {list(shape)} that is not 1")
    return tuple(d for i, d in enumerate(shape) if i not in dropped)


def _reshape_target(shape: tuple[int, ...], target: list[int], keep_zero: bool) -> tuple[int, ...]:
    total, asked = math.prod(shape), target
    if not keep_zero:
        if any(d == 0 for d in target[len(shape) :]):
            raise Unsupported(f"cannot reshape {list(shape)} to {asked}")
        target = [shape[i] if d == 0 else d for i, d in enumerate(target)]
    if target.count(-1) == 1:
        rest = math.prod(d for d in target if d != -1)
        if rest <= 0 or total % rest:
            raise Unsupported(f"cannot reshape {list(shape)} to {asked}")
        target = [total // rest if d == -1 else d for d in target]
    if any(d < 0 for d in target) or math.prod(target) != total:
        raise Unsupported(f"cannot reshape {list(shape)} to {asked}")
    return tuple(target)
