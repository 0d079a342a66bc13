"""Converters of the operators that resize maps: all are one native resampling."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from onnx_import.builder import NodeContext
from onnx_import.errors import Unsupported
from onnx_import.registry import converter
from onnx_import.values import BATCH_POINTS, Known, Tensor

#: (shift, step, scale, offset): output o is taken at (o + shift) * step / scale + offset.
Sampling = tuple[float, float, float, float]

_ROUNDINGS = {
    "round_prefer_floor": "prefer_floor",
    "round_prefer_ceil": "prefer_ceil",
    "floor": "floor",
    "ceil": "ceil",
}
_LARGEST = 2**20

#: (size, target, scale, length) of an _Axis.
_Lengths = tuple[int, int, float, float]


@dataclass(frozen=True)
class _Axis:
    """One axis of a Resize: from `size` pixels to `target`, by ONNX's factor `scale`.

    length: of the output as alignment counts it; what a scale makes of a size need not be whole.
    """

    size: int
    target: int
    scale: float
    length: float
    roi: tuple[float, float] = (0.0, 1.0)

    def sampling(self, mode: str) -> Sampling:
        """Where the outputs are taken, by ONNX's coordinate_transformation_mode."""
        if mode == "half_pixel" or (mode == "pytorch_half_pixel" and self.target > 1):
            return 0.5, 1.0, self.scale, -0.5
        if mode == "pytorch_half_pixel":
            return 0.0, 0.0, 1.0, 0.0
        if mode == "half_pixel_symmetric":
            return 0.5, 1.0, self.scale, self.size / 2 * (1 - self.target / self.length) - 0.5
        if mode == "asymmetric":
            return 0.0, 1.0, self.scale, 0.0
        if mode == "align_corners":
            return self._aligned(0.0, 1.0) if self.length != 1 else (0.0, 0.0, 1.0, 0.0)
        if mode == "tf_crop_and_resize":
            return self._aligned(*self.roi)
        raise Unsupported(f"coordinate_transformation_mode {mode!r} is unknown")

    def _aligned(self, begin: float, end: float) -> Sampling:
        """First and last output at these shares of the input."""
        last = self.size - 1.0
        if self.length == 1:
            return 0.0, 0.0, 1.0, (begin + end) * last / 2
        return 0.0, (end - begin) * last, self.length - 1, begin * last


@converter("Resize", "Upsample")
def resize(ctx: NodeContext) -> list[Tensor]:
    x = ctx.builder.as_map(ctx.tensor())
    mode = ctx.attributes.text("mode", "nearest")
    if mode not in ("nearest", "linear", "cubic"):
        raise Unsupported(f"mode {mode!r} is unknown")
    placed = ctx.attributes.text("coordinate_transformation_mode", "half_pixel")
    rows, columns = _axes(ctx, x)
    same = all(a.size == a.target and a.scale == 1 for a in (rows, columns))
    if same and placed != "tf_crop_and_resize":
        return [ctx.alias(x)]
    antialias = bool(ctx.attributes.integer("antialias", 0)) and mode != "nearest"
    if antialias and placed in ("align_corners", "tf_crop_and_resize"):
        raise Unsupported(f"antialias does not go with {placed}")
    nearest = ctx.attributes.text("nearest_mode", "round_prefer_floor")
    if nearest not in _ROUNDINGS:
        raise Unsupported(f"nearest_mode {nearest!r} is unknown")
    crops = placed == "tf_crop_and_resize"
    return [
        ctx.emit(
            "Resample",
            [x],
            (x.shape[0], rows.target, columns.target),
            extent=(rows.target, columns.target),
            rows=rows.sampling(placed),
            columns=columns.sampling(placed),
            interpolation=mode,
            rounding=_ROUNDINGS[nearest] if mode == "nearest" else "floor",
            cubic_a=ctx.attributes.real("cubic_coeff_a", -0.75) if mode == "cubic" else -0.75,
            antialias=antialias,
            exclude_outside=mode != "nearest"
            and bool(ctx.attributes.integer("exclude_outside", 0)),
            border="constant" if crops else "edge",
            border_value=ctx.attributes.real("extrapolation_value", 0.0) if crops else 0.0,
        )
    ]


def _axes(ctx: NodeContext, x: Tensor) -> tuple[_Axis, _Axis]:
    """Rows and columns, from `scales` or `sizes` for any set of axes."""
    rank = len(x.dims) + 1
    given = ctx.attributes.integers("axes") or list(range(rank))
    axes = [a % rank if -rank <= a < rank else -1 for a in given]
    if -1 in axes or len(set(axes)) < len(axes):
        raise Unsupported(f"axes {given} are not different ones of {rank}")
    scales, sizes = _given(ctx, 2, "scales"), _given(ctx, 3, "sizes")
    if (scales is None) == (sizes is None):
        raise Unsupported("it needs either scales or sizes")
    roi = _roi(ctx, axes)
    if sizes is not None:
        policy = ctx.attributes.text("keep_aspect_ratio_policy", "stretch")
        pairs = _by_sizes(ctx, x, _sizes(ctx, x, sizes, axes), axes, policy)
    else:
        assert scales is not None
        pairs = _by_scales(x, scales.reals("its scales"), axes)
    for _, target, scale, _ in pairs:
        if not (1 <= target < _LARGEST and 0 < scale < _LARGEST):
            raise Unsupported(f"it resizes {list(x.shape[1:])} by {scale} to {target}")
    rows, columns = (
        _Axis(*pair, roi.get(a, (0.0, 1.0))) for a, pair in zip((2, 3), pairs, strict=True)
    )
    return rows, columns


def _given(ctx: NodeContext, index: int, what: str) -> Known | None:
    """An optional input; an empty tensor is none."""
    known = ctx.optional(index, what)
    return None if known is None or known.at[0].size == 0 else known


def _sizes(ctx: NodeContext, x: Tensor, sizes: Known, axes: list[int]) -> list[int]:
    """Sizes of `axes`; the batch, which is ours, is written as 0."""
    at = [[int(i) for i in a.reshape(-1)] for a in sizes.at]
    if len(at[0]) != len(axes):
        raise Unsupported(f"it has {len(at[0])} sizes for {len(axes)} axes")
    result = []
    for position, axis in enumerate(axes):
        pair = (at[0][position], at[1][position])
        if axis == 0 and (pair == BATCH_POINTS or pair[0] == pair[1] == ctx.builder.fixed_batch):
            result.append(0)
        elif axis and pair[0] == pair[1]:
            result.append(pair[0])
        else:
            raise Unsupported(f"its size {pair[0]} of axis {axis} is no constant")
    return result


def _by_sizes(
    ctx: NodeContext, x: Tensor, sizes: list[int], axes: list[int], policy: str
) -> list[_Lengths]:
    """Of rows and columns."""
    wanted = {a: s for a, s in zip(axes, sizes, strict=True) if a}
    if wanted.get(1, x.shape[0]) != x.shape[0]:
        raise Unsupported(f"it resizes {x.shape[0]} channels to {wanted[1]}")
    factors = {a: s / x.shape[a - 1] for a, s in wanted.items()}
    lengths: dict[int, float] = dict(wanted)
    if policy in ("not_larger", "not_smaller"):
        if 0 in axes or 1 in axes:
            raise Unsupported(
                f"keep_aspect_ratio_policy {policy!r} needs the axes height and width"
            )
        factor = (min if policy == "not_larger" else max)(factors.values())
        factors = dict.fromkeys(factors, factor)
        lengths = {a: factor * x.shape[a - 1] for a in wanted}
        wanted = {a: math.floor(length + 0.5) for a, length in lengths.items()}
    elif policy != "stretch":
        raise Unsupported(f"keep_aspect_ratio_policy {policy!r} is unknown")
    return [
        (size, wanted.get(a, size), float(np.float32(factors.get(a, 1.0))), lengths.get(a, size))
        for a, size in zip((2, 3), x.shape[1:], strict=True)
    ]


def _by_scales(x: Tensor, scales: list[float], axes: list[int]) -> list[_Lengths]:
    if len(scales) != len(axes):
        raise Unsupported(f"it has {len(scales)} scales for {len(axes)} axes")
    factors = dict(zip(axes, scales, strict=True))
    if factors.get(0, 1) != 1 or factors.get(1, 1) != 1:
        raise Unsupported(f"its scales {scales} change the batch or the channels")
    if not all(math.isfinite(f) and f > 0 for f in scales):
        raise Unsupported(f"its scales {scales} must be above 0")
    result = []
    for a, size in zip((2, 3), x.shape[1:], strict=True):
        scale = factors.get(a, 1.0)
        result.append((size, math.floor(size * scale), scale, size * scale))
    return result


def _roi(ctx: NodeContext, axes: list[int]) -> dict[int, tuple[float, float]]:
    if ctx.attributes.text("coordinate_transformation_mode", "") != "tf_crop_and_resize":
        return {}
    roi = ctx.known(1, "roi").reals("its roi")
    if len(roi) != 2 * len(axes) or not all(abs(r) < _LARGEST for r in roi):
        raise Unsupported(f"its roi {roi} must be a begin and an end for {len(axes)} axes")
    ends = {a: (roi[i], roi[i + len(axes)]) for i, a in enumerate(axes)}
    if any(ends.get(a, (0.0, 1.0)) != (0.0, 1.0) for a in (0, 1)):
        raise Unsupported(f"its roi {roi} cuts the batch or the channels")
    return ends
