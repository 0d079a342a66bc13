"""Evaluator of Resize: one sparse matrix of weights per axis, as the operator's text defines it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from onnx_import.errors import Unsupported
from onnx_import.fold.table import Array, Call, axis_of, folder, ints


@dataclass(frozen=True)
class Axis:
    """One axis to resize: `size` elements become `output`; roi in [0, 1] for crops."""

    index: int
    size: int
    output: int
    scale: float
    roi: tuple[float, float] = (0.0, 1.0)


@folder("Resize")
def resize(
    call: Call,
    x: Array,
    roi: Array | None = None,
    scales: Array | None = None,
    sizes: Array | None = None,
) -> Array:
    call.make(x.shape, np.float64)
    y = x.astype(np.float64)
    outside = np.zeros((1,) * x.ndim, bool)
    crops = call.attributes.text("coordinate_transformation_mode", "") == "tf_crop_and_resize"
    axes = _axes(call, x, roi if crops else None, scales, sizes)
    lengths = {axis.index: axis.output for axis in axes}
    call.make([lengths.get(i, d) for i, d in enumerate(x.shape)], np.float64)
    for axis in axes:
        if axis.output == axis.size and axis.scale == 1 and not crops:
            continue
        weights, missed = _weights(call, axis)
        shape = [axis.output if i == axis.index else d for i, d in enumerate(y.shape)]
        call.make((2, *shape), np.float64)
        call.work(math.prod(shape) * axis.size)
        y = np.moveaxis(np.tensordot(weights, y, (1, axis.index)), 0, axis.index)
        column = [-1 if i == axis.index else 1 for i in range(x.ndim)]
        outside = outside | missed.reshape(column)
    if crops:
        y = np.where(outside, call.attributes.real("extrapolation_value", 0.0), y)
    return np.round(y).astype(x.dtype) if x.dtype.kind in "iu" else y.astype(x.dtype)


def _axes(
    call: Call, x: Array, roi: Array | None, scales: Array | None, sizes: Array | None
) -> list[Axis]:
    named = call.attributes.integers("axes")
    where = [axis_of(a, x.ndim) for a in named] if named else list(range(x.ndim))
    if (scales is None or not scales.size) == (sizes is None or not sizes.size):
        raise Unsupported("either scales or sizes must be given")
    if sizes is not None and sizes.size:
        lengths = [x.shape[a] for a in where]
        outputs, factors = _from_sizes(call, lengths, ints(sizes))
    else:
        assert scales is not None
        factors = [float(s) for s in scales.reshape(-1)]
        if len(factors) != len(where) or not all(0 < f < 2**31 for f in factors):
            raise Unsupported(f"scales {factors} do not fit {len(where)} axes")
        outputs = [math.floor(x.shape[a] * f) for a, f in zip(where, factors, strict=True)]
    if min(outputs, default=1) < 1 or x.size == 0:
        raise Unsupported(f"it would have the size {outputs}")
    crop = [0.0] * len(where) + [1.0] * len(where) if roi is None else roi.reshape(-1).tolist()
    ends = zip(crop, crop[len(where) :], strict=False)
    return [
        Axis(a, x.shape[a], n, f, (float(low), float(high)))
        for a, n, f, (low, high) in zip(where, outputs, factors, ends, strict=True)
    ]


def _from_sizes(call: Call, lengths: list[int], sizes: list[int]) -> tuple[list[int], list[float]]:
    if len(sizes) != len(lengths) or min(sizes, default=0) < 1 or 0 in lengths:
        raise Unsupported(f"sizes {sizes} do not fit {lengths}")
    factors = [s / n for s, n in zip(sizes, lengths, strict=True)]
    policy = call.attributes.text("keep_aspect_ratio_policy", "stretch")
    if policy == "stretch":
        return sizes, factors
    factor = min(factors) if policy == "not_larger" else max(factors)
    return [math.floor(n * factor + 0.5) for n in lengths], [factor] * len(lengths)


def _weights(call: Call, axis: Axis) -> tuple[Array, Array]:
    """(output, size) weights, and which outputs lie outside of the crop."""
    call.make((3, axis.output, axis.size), np.float64)
    at = _coordinates(call.attributes.text("coordinate_transformation_mode", "half_pixel"), axis)
    missed = (at < 0) | (at > axis.size - 1)
    mode = call.attributes.text("mode", "nearest")
    if mode == "nearest":
        at = _nearest(call.attributes.text("nearest_mode", "round_prefer_floor"), at)
        taps, parts = np.zeros(1, np.int64), np.ones((axis.output, 1))
    else:
        taps, parts = _kernel(call, mode, at - np.floor(at), axis.scale)
    places = np.floor(at).astype(np.int64)[:, None] + taps
    if call.attributes.integer("exclude_outside", 0):
        parts = np.where((places >= 0) & (places < axis.size), parts, 0)
        parts = parts / parts.sum(1, keepdims=True)
    weights = np.zeros((axis.output, axis.size))
    rows = np.broadcast_to(np.arange(axis.output)[:, None], places.shape)
    np.add.at(weights, (rows, places.clip(0, axis.size - 1)), parts)
    return weights, missed


def _coordinates(mode: str, axis: Axis) -> Array:
    """Where each output lies on the input's axis."""
    i = np.arange(axis.output, dtype=np.float64)
    length = axis.size * axis.scale  # as the operator defines it, not rounded
    last, (low, high) = axis.size - 1, axis.roi
    centred = (i + 0.5) / axis.scale - 0.5
    if mode == "half_pixel":
        return centred
    if mode == "half_pixel_symmetric":
        return axis.size / 2 * (1 - axis.output / length) + centred
    if mode == "pytorch_half_pixel":
        return centred if length > 1 else np.full_like(i, -0.5)
    if mode == "align_corners":
        return i * last / (length - 1) if length != 1 else np.zeros_like(i)
    if mode == "asymmetric":
        return i / axis.scale
    if mode == "tf_crop_and_resize":
        if length == 1:
            return np.full_like(i, (low + high) * last / 2)
        return low * last + i * (high - low) * last / (length - 1)
    raise Unsupported(f"coordinate_transformation_mode {mode!r} is unknown")


_NEAREST: dict[str, Callable[[Array], Array]] = {
    "round_prefer_floor": lambda a: np.ceil(a - 0.5),
    "round_prefer_ceil": lambda a: np.floor(a + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def _nearest(mode: str, at: Array) -> Array:
    if mode not in _NEAREST:
        raise Unsupported(f"nearest_mode {mode!r} is unknown")
    return _NEAREST[mode](at)


def _kernel(call: Call, mode: str, ratio: Array, scale: float) -> tuple[Array, Array]:
    """Taps beside the floor of a coordinate, and their weights (output, taps)."""
    if mode not in ("linear", "cubic"):
        raise Unsupported(f"mode {mode!r} is unknown")
    radius = 1 if mode == "linear" else 2
    antialias = bool(call.attributes.integer("antialias", 0))
    stretch = min(scale, 1.0) if antialias else 1.0
    start = math.floor(-radius / stretch) + 1
    call.make((6, ratio.size, 2 - 2 * start), np.float64)
    taps = np.arange(start, 2 - start)
    distance = abs((taps - ratio[:, None]) * stretch)
    if mode == "linear":
        parts = np.clip(1 - distance, 0, 1)
    else:
        parts = _cubic(distance, call.attributes.real("cubic_coeff_a", -0.75))
    return taps, parts / parts.sum(1, keepdims=True) if antialias else parts


def _cubic(d: Array, a: float) -> Array:
    """Keys' cubic convolution kernel."""
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0))
