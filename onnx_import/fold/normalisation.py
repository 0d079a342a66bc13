"""Evaluators of normalisations and softmax."""

from __future__ import annotations

import numpy as np

from onnx_import.errors import Unsupported
from onnx_import.fold.table import Array, Call, axis_of, folder


def _pay(call: Call, x: Array) -> None:
    call.make((3, *x.shape), x.dtype)
    call.work(8 * x.size)


@folder("Softmax", "LogSoftmax")
def softmax(call: Call, x: Array) -> Array:
    axis = axis_of(call.attributes.integer("axis", -1), x.ndim)
    _pay(call, x)
    shifted = x - x.max(axis, keepdims=True)
    total = np.exp(shifted).sum(axis, keepdims=True)
    if call.node.op_type == "LogSoftmax":
        return shifted - np.log(total)
    return np.exp(shifted) / total


@folder("BatchNormalization")
def batch_norm(
    call: Call, x: Array, scale: Array, shift: Array, mean: Array, variance: Array
) -> list[Array]:
    """The inference form, unless the file's training_mode counts."""
    _pay(call, x)
    attributes = call.attributes
    over = (0, *range(2, x.ndim))
    running = [mean, variance]
    if call.training and attributes.integer("training_mode", 0):
        keep = attributes.real("momentum", 0.9)
        mean, variance = x.mean(over), x.var(over)
        fresh = (mean, variance)
        running = [old * keep + new * (1 - keep) for old, new in zip(running, fresh, strict=True)]
    columns = [a.reshape(-1, *[1] * (x.ndim - 2)) for a in (scale, shift, mean, variance)]
    s, b, m, v = columns
    y = s * (x - m) / np.sqrt(v + attributes.real("epsilon", 1e-5)) + b
    statistics = [a.astype(mean.dtype) for a in running]
    return [y.astype(x.dtype), *statistics][: max(len(call.node.output), 1)]


@folder("InstanceNormalization")
def instance_norm(call: Call, x: Array, scale: Array, shift: Array) -> Array:
    return _grouped(call, x, x.shape[1], scale, shift)


@folder("GroupNormalization")
def group_norm(call: Call, x: Array, scale: Array, shift: Array) -> Array:
    groups = call.attributes.integer("num_groups", 1)
    if groups < 1 or x.shape[1] % groups:
        raise Unsupported(f"num_groups {groups} does not divide {x.shape[1]} channels")
    return _grouped(call, x, groups, scale, shift)


def _grouped(call: Call, x: Array, groups: int, scale: Array, shift: Array) -> Array:
    _pay(call, x)
    parts = x.reshape(x.shape[0], groups, -1)
    mean, variance = parts.mean(2, keepdims=True), parts.var(2, keepdims=True)
    epsilon = call.attributes.real("epsilon", 1e-5)
    y = ((parts - mean) / np.sqrt(variance + epsilon)).reshape(x.shape)
    column = (-1, *[1] * (x.ndim - 2))
    return (y * scale.reshape(column) + shift.reshape(column)).astype(x.dtype)


@folder("LayerNormalization")
def layer_norm(call: Call, x: Array, scale: Array, shift: Array | None = None) -> list[Array]:
    axis = axis_of(call.attributes.integer("axis", -1), x.ndim)
    _pay(call, x)
    over = tuple(range(axis, x.ndim))
    mean = x.mean(over, keepdims=True)
    deviation = 1 / np.sqrt(x.var(over, keepdims=True) + call.attributes.real("epsilon", 1e-5))
    y = (x - mean) * deviation * scale
    y = y if shift is None else y + shift
    outputs = [y.astype(x.dtype), mean.astype(x.dtype), deviation.astype(x.dtype)]
    return outputs[: max(len(call.node.output), 1)]


@folder("LRN")
def lrn(call: Call, x: Array) -> Array:
    size = call.attributes.integer("size", 0)
    if not 1 <= size < 2**16:
        raise Unsupported(f"size {size} must be positive")
    _pay(call, x)
    call.work(min(size, x.shape[1]) * x.size)
    below, channels = (size - 1) // 2, x.shape[1]
    squares = np.zeros_like(x)
    for offset in range(-below, size - below):
        low, high = max(0, -offset), min(channels, channels - offset)
        if low < high:
            squares[:, low:high] += x[:, low + offset : high + offset] ** 2
    alpha, beta = call.attributes.real("alpha", 1e-4), call.attributes.real("beta", 0.75)
    bias = call.attributes.real("bias", 1.0)
    return (x / (bias + alpha / size * squares) ** beta).astype(x.dtype)
