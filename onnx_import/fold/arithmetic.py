"""Evaluators of elementwise arithmetic, comparison and logic, with broadcasting."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import numpy as np

from onnx_import.errors import Unsupported
from onnx_import.fold.table import Array, Call, folder


def _divide(a: Array, b: Array) -> Array:
    """ONNX divides integers towards zero."""
    if a.dtype.kind not in "iu":
        return np.asarray(a / b)
    if not b.all():
        raise ZeroDivisionError("division by zero")
    return np.asarray(np.sign(a) * np.sign(b) * (abs(a) // abs(b))).astype(a.dtype)


def _power(a: Array, b: Array) -> Array:
    """In the type of the base; integers to negative powers have no integer value."""
    wide = np.result_type(a.dtype, b.dtype)
    if wide.kind in "iu" and (b < 0).any():
        wide = np.dtype(np.float64)
    return np.asarray(np.power(a.astype(wide), b.astype(wide)).astype(a.dtype))


_UNARY: dict[str, Callable[[Array], Array]] = {
    "Neg": np.negative,
    "Sqrt": np.sqrt,
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Round": np.round,
    "Abs": np.abs,
    "Sign": np.sign,
    "Reciprocal": np.reciprocal,
    "Exp": np.exp,
    "Log": np.log,
    "Sin": np.sin,
    "Cos": np.cos,
    "Tanh": np.tanh,
    "Not": np.logical_not,
    "IsNaN": np.isnan,
}

_BINARY: dict[str, Callable[[Array, Array], Array]] = {
    "Sub": np.subtract,
    "Div": _divide,
    "Pow": _power,
    "Equal": np.equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "And": np.logical_and,
    "Or": np.logical_or,
    "Xor": np.logical_xor,
}

_NARY: dict[str, Callable[[Array, Array], Array]] = {
    "Add": np.add,
    "Mul": np.multiply,
    "Min": np.minimum,
    "Max": np.maximum,
    "Sum": np.add,
    "Mean": np.add,
}


@folder(*_UNARY)
def unary(call: Call, x: Array) -> Array:
    call.make(x.shape, x.dtype)
    call.work(x.size)
    return _UNARY[call.node.op_type](x)


@folder(*_BINARY)
def binary(call: Call, a: Array, b: Array) -> Array:
    _pay(call, a, b)
    return _BINARY[call.node.op_type](a, b)


@folder(*_NARY)
def n_ary(call: Call, *arrays: Array) -> Array:
    if not arrays:
        raise Unsupported("it has no operand")
    shape = _pay(call, *arrays)
    total = reduce(_NARY[call.node.op_type], arrays[1:], np.broadcast_to(arrays[0], shape))
    return total / total.dtype.type(len(arrays)) if call.node.op_type == "Mean" else total


@folder("Mod")
def modulo(call: Call, a: Array, b: Array) -> Array:
    _pay(call, a, b)
    by_sign_of_dividend = call.attributes.integer("fmod", 0)
    if a.dtype.kind in "iu" and not b.all():
        raise ZeroDivisionError("division by zero")
    return np.fmod(a, b) if by_sign_of_dividend else np.mod(a, b)


@folder("Where")
def where(call: Call, condition: Array, a: Array, b: Array) -> Array:
    shape = np.broadcast_shapes(condition.shape, a.shape, b.shape)
    call.make(shape, np.result_type(a, b))
    return np.where(condition, a, b)


def _pay(call: Call, *arrays: Array) -> tuple[int, ...]:
    """The broadcast shape; one result of it is paid for per operand but the first."""
    shape = np.broadcast_shapes(*(a.shape for a in arrays))
    for _ in arrays[1:] or arrays:
        call.make(shape, np.result_type(*arrays))
    call.work(len(arrays) * np.prod(shape, dtype=float))
    return shape
