"""Evaluators that reduce a constant over some of its axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from onnx_import.errors import Unsupported
from onnx_import.fold.table import Array, Call, axis_of, folder


def _extreme(reduce: Callable[..., Any], low: bool) -> Callable[..., Array]:
    """Max or Min; over nothing it is the least or greatest number of the type."""

    def evaluate(x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
        if x.dtype == bool:
            return np.asarray(reduce(x.astype(np.uint8), axis, initial=1 - low, keepdims=keepdims))
        if x.dtype.kind == "f":
            initial = -np.inf if low else np.inf
        else:
            initial = np.iinfo(x.dtype).min if low else np.iinfo(x.dtype).max
        return np.asarray(reduce(x, axis, initial=initial, keepdims=keepdims))

    return evaluate


_REDUCTIONS: dict[str, Callable[..., Array]] = {
    "ReduceSum": lambda x, axis, keepdims: x.sum(axis, keepdims=keepdims),
    "ReduceMean": lambda x, axis, keepdims: x.mean(axis, keepdims=keepdims),
    "ReduceProd": lambda x, axis, keepdims: x.prod(axis, keepdims=keepdims),
    "ReduceMax": _extreme(np.max, True),
    "ReduceMin": _extreme(np.min, False),
    "ReduceL1": lambda x, axis, keepdims: abs(x).sum(axis, keepdims=keepdims),
    "ReduceL2": lambda x, axis, keepdims: np.sqrt((x * x).sum(axis, keepdims=keepdims)),
    "ReduceSumSquare": lambda x, axis, keepdims: (x * x).sum(axis, keepdims=keepdims),
    "ReduceLogSum": lambda x, axis, keepdims: np.log(x.sum(axis, keepdims=keepdims)),
}


@folder(*_REDUCTIONS)
def reduced(call: Call, x: Array, axes: Array | None = None) -> Array:
    over = call.axes(axes, x.ndim) or ()
    if not over:
        if call.attributes.integer("noop_with_empty_axes", 0):
            return x
        over = tuple(range(x.ndim))
    call.make(x.shape, x.dtype)
    call.work(2 * x.size)
    keep = bool(call.attributes.integer("keepdims", 1))
    return np.asarray(_REDUCTIONS[call.node.op_type](x, over, keep)).astype(x.dtype)


@folder("ArgMax", "ArgMin")
def arg_extreme(call: Call, x: Array) -> Array:
    axis = axis_of(call.attributes.integer("axis", 0), x.ndim)
    if call.attributes.integer("select_last_index", 0):
        raise Unsupported("select_last_index=1 is not supported")
    call.make(x.shape, np.int64)
    find = np.argmax if call.node.op_type == "ArgMax" else np.argmin
    return find(x, axis, keepdims=bool(call.attributes.integer("keepdims", 1)))
