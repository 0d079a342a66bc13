"""Evaluators of activation functions, in the type of their input."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from onnx_import.attributes import Attributes
from onnx_import.errors import Unsupported
from onnx_import.fold.table import Array, Call, folder

# What math.erf costs beside one operation of NumPy.
_SLOW = 100


def _sigmoid(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def _softplus(x: Array) -> Array:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _elu(x: Array, attributes: Attributes) -> Array:
    return np.where(x > 0, x, attributes.real("alpha", 1.0) * np.expm1(np.minimum(x, 0)))


def _selu(x: Array, attributes: Attributes) -> Array:
    alpha = attributes.real("alpha", 1.6732632423543772)
    gamma = attributes.real("gamma", 1.0507009873554805)
    return gamma * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _gelu(x: Array, attributes: Attributes) -> Array:
    if attributes.text("approximate", "none") == "tanh":
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + _erf(x / math.sqrt(2)))


def _erf(x: Array) -> Array:
    return np.vectorize(math.erf, otypes=[np.float64])(x)


def _hard_sigmoid(x: Array, attributes: Attributes) -> Array:
    alpha, beta = attributes.real("alpha", 0.2), attributes.real("beta", 0.5)
    return np.clip(alpha * x + beta, 0, 1)


_FUNCTIONS: dict[str, Callable[[Array, Attributes], Array]] = {
    "Relu": lambda x, _: np.maximum(x, 0),
    "LeakyRelu": lambda x, a: np.where(x < 0, a.real("alpha", 0.01) * x, x),
    "Sigmoid": lambda x, _: _sigmoid(x),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda x, _: x * np.clip(x / 6 + 0.5, 0, 1),
    "Swish": lambda x, a: x * _sigmoid(a.real("alpha", 1.0) * x),
    "Mish": lambda x, _: x * np.tanh(_softplus(x)),
    "Softplus": lambda x, _: _softplus(x),
    "Softsign": lambda x, _: x / (1 + np.abs(x)),
    "Elu": _elu,
    "Selu": _selu,
    "Gelu": _gelu,
    "Erf": lambda x, _: _erf(x),
}


@folder(*_FUNCTIONS)
def activation(call: Call, x: Array) -> Array:
    call.make(x.shape, np.float64)
    call.work(_SLOW * x.size)
    return _FUNCTIONS[call.node.op_type](x, call.attributes).astype(x.dtype)


@folder("PRelu")
def prelu(call: Call, x: Array, slope: Array) -> Array:
    call.make(np.broadcast_shapes(x.shape, slope.shape), x.dtype)
    call.work(2 * x.size)
    return np.where(x < 0, slope * x, x)


@folder("Clip")
def clip(call: Call, x: Array, low: Array | None = None, high: Array | None = None) -> Array:
    call.make(x.shape, x.dtype)
    held = x if low is None else np.maximum(x, low.reshape(()))
    return held if high is None else np.minimum(held, high.reshape(()))


@folder("Dropout", origin="view")
def dropout(
    call: Call, x: Array, ratio: Array | None = None, training: Array | None = None
) -> list[Array]:
    """Identity, or in training the mask of NumPy's generator for the node's seed."""
    share = 0.5 if ratio is None else float(ratio.reshape(()))
    if not call.training or training is None or not training.all() or share == 0:
        return [x, np.ones(call.make(x.shape, bool), bool)] if len(call.node.output) > 1 else [x]
    call.make(x.shape, np.float64)
    if not 0 < share < 1:
        raise Unsupported(f"ratio {share} must be in [0, 1)")
    seed = call.attributes.integer("seed", 0) % 2**32
    kept = np.random.RandomState(seed).uniform(0, 1, x.shape) >= share
    return [(x * kept / (1 - share)).astype(x.dtype), kept]
