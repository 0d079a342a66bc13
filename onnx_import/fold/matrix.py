"""Evaluators of matrix products."""

from __future__ import annotations

import numpy as np

from onnx_import.errors import Unsupported
from onnx_import.fold.table import Array, Call, folder, size_of


@folder("MatMul")
def matmul(call: Call, a: Array, b: Array) -> Array:
    _pay(call, a, b)
    return np.matmul(a, b)


@folder("Gemm")
def gemm(call: Call, a: Array, b: Array, c: Array | None = None) -> Array:
    a = a.T if call.attributes.integer("transA", 0) else a
    b = b.T if call.attributes.integer("transB", 0) else b
    if a.ndim != 2 or b.ndim != 2:
        raise Unsupported(f"its operands have the shapes {a.shape} and {b.shape}; matrices are due")
    _pay(call, a, b)
    y = a.dtype.type(call.attributes.real("alpha", 1.0)) * (a @ b)
    return y if c is None else y + a.dtype.type(call.attributes.real("beta", 1.0)) * c


def _pay(call: Call, a: Array, b: Array) -> None:
    """For a @ b with the rules of np.matmul."""
    left = a.shape if a.ndim > 1 else (1, *a.shape)
    right = b.shape if b.ndim > 1 else (*b.shape, 1)
    if not left or not right or left[-1] != right[-2]:
        raise Unsupported(f"shapes {list(a.shape)} and {list(b.shape)} cannot be multiplied")
    shape = (*np.broadcast_shapes(left[:-2], right[:-2]), left[-2], right[-1])
    call.make(shape, np.result_type(a, b))
    call.work(size_of(shape) * left[-1])
