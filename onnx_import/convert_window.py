"""Converters of the operators with a sliding window: convolution and pooling."""

from __future__ import annotations

import math

from onnx_import.attributes import Attributes
from onnx_import.builder import NodeContext
from onnx_import.errors import Unsupported
from onnx_import.fold import axis_of
from onnx_import.imported import Transform
from onnx_import.registry import converter
from onnx_import.values import Known, Tensor

_LARGEST = 2**16
Pair = tuple[int, int]


class Window:
    """Kernel, strides, dilations and pads of a node, checked against its input (C, H, W).

    A node of one axis works on lines (N, C, L), which are maps of width 1.
    """

    def __init__(self, attributes: Attributes, size: Pair, kernel: Pair, axes: int = 2) -> None:
        self.kernel = kernel
        self.axes = axes
        self.strides = self._pair(attributes, "strides")
        self.dilations = self._pair(attributes, "dilations")
        self.extent = [d * (k - 1) + 1 for k, d in zip(kernel, self.dilations, strict=True)]
        self.pads = self._pads(attributes, size)
        for axis in (0, 1):
            whole = size[axis] + self.pads[axis] + self.pads[axis + 2]
            if self.extent[axis] > whole:
                raise Unsupported(
                    f"its window of {self.extent[axis]} is larger than its padded input, "
                    f"{whole}; use larger images"
                )

    def output(self, size: Pair, ceil_mode: bool = False) -> Pair:
        """Height and width of the output."""
        h, w = (self._length(axis, size[axis], ceil_mode) for axis in (0, 1))
        return h, w

    def _length(self, axis: int, size: int, ceil_mode: bool) -> int:
        stride = self.strides[axis]
        room = size + self.pads[axis] + self.pads[axis + 2] - self.extent[axis]
        length = (room + (stride - 1 if ceil_mode else 0)) // stride + 1
        # The last window must start inside the input or its leading pad.
        if ceil_mode and (length - 1) * stride >= size + self.pads[axis]:
            length -= 1
        return length

    def _pair(self, attributes: Attributes, name: str) -> Pair:
        return checked_pair(name, completed(attributes.integers(name) or [1, 1], self.axes))

    def _pads(self, attributes: Attributes, size: Pair) -> tuple[int, int, int, int]:
        mode = attributes.text("auto_pad", "NOTSET")
        if mode in ("SAME_UPPER", "SAME_LOWER"):
            (top, bottom), (left, right) = (self._same(mode, a, size[a]) for a in (0, 1))
            return top, left, bottom, right
        pads = attributes.integers("pads") or [0, 0, 0, 0]
        if self.axes == 1 and len(pads) == 2:
            pads = [pads[0], 0, pads[1], 0]
        if mode == "VALID":
            pads = [0, 0, 0, 0]
        elif mode != "NOTSET":
            raise Unsupported(f"auto_pad {mode!r} is unknown")
        if len(pads) != 4 or not all(0 <= p < _LARGEST for p in pads):
            raise Unsupported(f"pads {pads} must be four numbers from 0 to {_LARGEST - 1}")
        return pads[0], pads[1], pads[2], pads[3]

    def _same(self, mode: str, axis: int, size: int) -> Pair:
        stride = self.strides[axis]
        total = max((-(-size // stride) - 1) * stride + self.extent[axis] - size, 0)
        small, large = total // 2, total - total // 2
        return (small, large) if mode == "SAME_UPPER" else (large, small)


def unpadded(ctx: NodeContext, x: Tensor, window: Window, value: float) -> Tensor:
    """What a window may read in the place of `x`: without the border of `value` that a Pad put
    around it, which becomes pads of the window where these stay below its kernel.
    """
    padding = ctx.builder.padded.get(x.name)
    if padding is None or padding.value != value:
        return x
    pads = tuple(p + q for p, q in zip(window.pads, padding.pads, strict=True))
    if any(p >= n for p, n in zip(pads, window.extent * 2, strict=True)):
        return x
    window.pads = (pads[0], pads[1], pads[2], pads[3])
    return padding.inner


def completed(values: list[int], axes: int) -> list[int]:
    """The numbers of one axis, and 1 for the second that lines do not have."""
    return [*values, 1] if axes == 1 and len(values) == 1 else values


def checked_pair(name: str, values: list[int]) -> Pair:
    """Two positive numbers of a reasonable size. Errors: `Unsupported`."""
    if len(values) != 2 or not all(1 <= v < _LARGEST for v in values):
        raise Unsupported(f"{name} {values} must be two numbers from 1 to {_LARGEST - 1}")
    return values[0], values[1]


@converter("Conv")
def conv(ctx: NodeContext) -> list[Tensor]:
    x = ctx.builder.as_map(ctx.tensor())
    weight = ctx.known(1, "weight").array("its weight")
    groups = ctx.attributes.integer("group", 1)
    _check_conv(ctx, x, weight.shape, groups)
    axes = len(x.dims) - 1
    native = weight.shape if axes == 2 else (*weight.shape, 1)
    k, _, r, s = native
    window = Window(ctx.attributes, x.shape[1:], checked_pair("the kernel", [r, s]), axes)
    params = [ctx.param(1, "weight", Transform(weight.shape, native))]
    bias = ctx.optional(2, "bias")
    if bias is not None and bias.at[0].shape != (k,):
        raise Unsupported(f"its bias has the shape {bias.at[0].shape}, ({k},) is needed")
    if bias is not None and not artificial_zero(bias):
        params.append(ctx.param(2, "bias", Transform((k,), (k,)), stem=params[0]))
    h, w = window.output(x.shape[1:])
    return [
        ctx.emit(
            "Conv",
            [unpadded(ctx, x, window, 0.0)],
            (k, h, w),
            params=params,
            kernel=window.kernel,
            strides=window.strides,
            pads=window.pads,
            dilations=window.dilations,
            groups=groups,
        )
    ]


def artificial_zero(bias: Known) -> bool:
    """A bias of zeros that an exporter computed for a layer that has none."""
    return bias.origin == "computed" and bias.at[0] is bias.at[1] and not bias.at[0].any()


def _check_conv(ctx: NodeContext, x: Tensor, shape: tuple[int, ...], groups: int) -> None:
    if len(shape) != len(x.dims) + 1:
        raise Unsupported(f"its weight {shape} does not fit its input {['N', *x.dims]}")
    if groups < 1 or x.shape[0] % groups or shape[0] % groups:
        raise Unsupported(f"group {groups} does not divide channels {x.shape[0]} and {shape[0]}")
    if shape[1] * groups != x.shape[0] or shape[0] == 0:
        raise Unsupported(
            f"its weight {shape} with group {groups} does not fit {x.shape[0]} input channels"
        )
    kernel = ctx.attributes.integers("kernel_shape")
    if kernel is not None and tuple(kernel) != shape[2:]:
        raise Unsupported(f"kernel_shape {kernel} does not match its weight {shape}")


def _pool_window(ctx: NodeContext, x: Tensor) -> Window:
    axes = len(x.dims) - 1
    given = ctx.attributes.integers("kernel_shape") or []
    kernel = checked_pair("kernel_shape", completed(given, axes))
    window = Window(ctx.attributes, x.shape[1:], kernel, axes)
    if window.dilations != (1, 1):
        raise Unsupported(f"dilations {list(window.dilations)} of a pool are not supported")
    if any(p >= k for p, k in zip(window.pads, kernel * 2, strict=True)):
        raise Unsupported(f"pads {list(window.pads)} must be smaller than the kernel {kernel}")
    return window


@converter("MaxPool", "AveragePool")
def pool(ctx: NodeContext) -> list[Tensor]:
    x = ctx.builder.as_map(ctx.tensor())
    window = _pool_window(ctx, x)
    if window.kernel == window.strides == (1, 1) and not any(window.pads):
        return [ctx.alias(x)]
    ceil_mode = bool(ctx.attributes.integer("ceil_mode", 0))
    h, w = window.output(x.shape[1:], ceil_mode)
    averages = ctx.node.op_type == "AveragePool"
    include = averages and bool(ctx.attributes.integer("count_include_pad", 0))
    inner = x
    if not ceil_mode and (include or not any(window.pads)):
        inner = unpadded(ctx, x, window, 0.0 if averages else -math.inf)
    include = averages and (include or inner is not x)
    return [
        ctx.emit(
            ctx.node.op_type,
            [inner],
            (x.shape[0], h, w),
            kernel=window.kernel,
            strides=window.strides,
            pads=window.pads,
            ceil_mode=ceil_mode,
            count_include_pad=include and any(window.pads),
        )
    ]


@converter("GlobalAveragePool")
def global_average_pool(ctx: NodeContext) -> list[Tensor]:
    x = ctx.builder.as_map(ctx.tensor())
    return [ctx.emit("GlobalAveragePool", [x], (x.shape[0], 1, 1))]


@converter("GlobalMaxPool")
def global_max_pool(ctx: NodeContext) -> list[Tensor]:
    x = ctx.builder.as_map(ctx.tensor())
    return [ctx.emit("MaxPool", [x], (x.shape[0], 1, 1), kernel=x.shape[1:])]


@converter("ReduceMean", "ReduceSum", "ReduceMax")
def reduce(ctx: NodeContext) -> list[Tensor]:
    """Over the pixels of each channel."""
    x = ctx.builder.as_channels(ctx.tensor())
    axes = ctx.optional(1, "axes")
    rank, channels = len(x.dims) + 1, 1 + x.channel_axis()
    over = sorted(axis_of(a, rank) for a in axes.integers("axes")) if axes is not None else []
    pixels = [axis for axis in range(1, rank) if axis != channels]
    if over != pixels:
        raise Unsupported(
            f"axes {over} must be height and width, {pixels}; a normalisation that is spelt out "
            "needs opset_version=17 or newer"
        )
    shape = (x.shape[0], 1, 1)
    kept = bool(ctx.attributes.integer("keepdims", 1))
    dims, order = (x.dims_of(shape), x.order) if kept else (shape[:1], ())
    if ctx.node.op_type == "ReduceMax":
        return [ctx.emit("MaxPool", [x], shape, dims=dims, order=order, kernel=x.shape[1:])]
    if ctx.node.op_type == "ReduceMean":
        return [ctx.emit("GlobalAveragePool", [x], shape, dims=dims, order=order)]
    name = f"{ctx.output}.mean"
    mean = ctx.builder.emit("GlobalAveragePool", name, [x], shape, name, dims=dims, order=order)
    return [ctx.scaled(mean, x.shape[1] * x.shape[2])]
