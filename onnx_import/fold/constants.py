"""Evaluators of nodes that make constants out of nothing, or change only their type."""

from __future__ import annotations

import math

import numpy as np
import onnx

from onnx_import.errors import ModelError, Unsupported
from onnx_import.fold.table import Array, Call, folder, ints
from onnx_import.read import tensor_array


@folder("Constant", origin="constant")
def constant(call: Call) -> Array:
    attributes = call.attributes
    tensor = attributes.tensor("value")
    if tensor is not None:
        return _stored(tensor)
    if "value_int" in attributes:
        return np.array(attributes.integer("value_int", 0), dtype=np.int64)
    if "value_float" in attributes:
        return np.array(attributes.real("value_float", 0.0), dtype=np.float32)
    if "value_ints" in attributes:
        return np.array(attributes.integers("value_ints"), dtype=np.int64)
    if "value_floats" in attributes:
        return np.array(attributes.reals("value_floats"), np.float32)
    raise Unsupported("only numeric dense constants are supported")


def _stored(tensor: onnx.TensorProto) -> Array:
    """The tensor of an attribute. Errors: `Unsupported`, so that the node is named."""
    try:
        return tensor_array(tensor)
    except ModelError as error:
        raise Unsupported(str(error)) from error


@folder("ConstantOfShape", origin="fresh")
def filled(call: Call, shape: Array) -> Array:
    """A view of one element: it costs memory only where it becomes a parameter."""
    tensor = call.attributes.tensor("value")
    value = np.zeros(1, np.float32) if tensor is None else _stored(tensor)
    dims = ints(shape)
    call.budget.check_shape(dims, call.label)
    return np.broadcast_to(value.reshape(()), dims)


@folder("Range")
def arange(call: Call, start: Array, limit: Array, step: Array) -> Array:
    first, last, by = (float(a) for a in (start, limit, step))
    if not (math.isfinite(first) and math.isfinite(last) and math.isfinite(by)) or by == 0:
        raise Unsupported(f"its range from {first} to {last} by {by} has no end")
    count = max(0, math.ceil((last - first) / by))
    call.make((count,), start.dtype)
    steps = np.arange(count, dtype=np.result_type(start.dtype, np.int64))
    return (start.reshape(()) + steps * step.reshape(())).astype(start.dtype)


@folder("Cast")
def cast(call: Call, x: Array) -> Array:
    kind = call.attributes.integer("to", onnx.TensorProto.FLOAT)
    try:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
    except KeyError:
        raise Unsupported(f"type {kind} is unknown") from None
    return _as_type(call, x, dtype)


@folder("CastLike")
def cast_like(call: Call, x: Array, like: Array) -> Array:
    return _as_type(call, x, like.dtype)


def _as_type(call: Call, x: Array, dtype: np.dtype[np.generic]) -> Array:
    if dtype.kind not in "biuf":
        raise Unsupported(f"type {dtype} is not supported")
    if x.dtype == dtype:
        return x
    call.make(x.shape, dtype)
    return x.astype(dtype)
