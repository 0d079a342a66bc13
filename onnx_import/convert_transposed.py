"""Converters of transposed convolutions, and of the moves between channels and pixels."""

from __future__ import annotations

from onnx_import.builder import NodeContext
from onnx_import.convert_window import artificial_zero, checked_pair, completed
from onnx_import.errors import Unsupported
from onnx_import.imported import Transform
from onnx_import.registry import converter
from onnx_import.values import Tensor

_LARGEST = 2**16


@converter("ConvTranspose")
def conv_transpose(ctx: NodeContext) -> list[Tensor]:
    x = ctx.builder.as_map(ctx.tensor())
    axes = len(x.dims) - 1
    shape = ctx.known(1, "weight").array("its weight").shape
    groups = ctx.attributes.integer("group", 1)
    _check_weight(ctx, x, shape, groups)
    kernel = checked_pair("the kernel", completed(list(shape[2:]), axes))
    strides, dilations = (
        checked_pair(name, completed(ctx.attributes.integers(name) or [1] * axes, axes))
        for name in ("strides", "dilations")
    )
    rows = shape[1] * groups
    native = (rows, shape[0] // groups, *kernel)
    params = [ctx.param(1, "weight", Transform(shape, native, swapped=groups))]
    bias = ctx.optional(2, "bias")
    if bias is not None and bias.at[0].shape != (rows,):
        raise Unsupported(f"its bias has the shape {bias.at[0].shape}, ({rows},) is needed")
    if bias is not None and not artificial_zero(bias):
        params.append(ctx.param(2, "bias", Transform((rows,), (rows,)), stem=params[0]))
    whole = [
        (size - 1) * s + (k - 1) * d + 1
        for size, s, k, d in zip(x.shape[1:], strides, kernel, dilations, strict=True)
    ]
    pads, out = _placed(ctx, x.shape[1:], whole, strides, axes)
    return [
        ctx.emit(
            "ConvTranspose",
            [x],
            (rows, out[0], out[1]),
            params=params,
            kernel=kernel,
            strides=strides,
            pads=pads,
            dilations=dilations,
            groups=groups,
        )
    ]


def _check_weight(ctx: NodeContext, x: Tensor, shape: tuple[int, ...], groups: int) -> None:
    if len(shape) != len(x.dims) + 1 or 0 in shape:
        raise Unsupported(f"its weight {shape} does not fit its input {['N', *x.dims]}")
    if groups < 1 or x.shape[0] % groups or shape[0] != x.shape[0]:
        raise Unsupported(
            f"its weight {shape} with group {groups} does not fit {x.shape[0]} input channels"
        )
    kernel = ctx.attributes.integers("kernel_shape")
    if kernel is not None and tuple(kernel) != shape[2:]:
        raise Unsupported(f"kernel_shape {kernel} does not match its weight {shape}")


def _placed(
    ctx: NodeContext, size: tuple[int, ...], whole: list[int], strides: tuple[int, int], axes: int
) -> tuple[tuple[int, ...], list[int]]:
    """(top, left, bottom, right) that are cut off `whole`, and what is left.

    Those at the end are negative where the output is longer than what the input reaches.
    """
    given = ctx.attributes.integers("output_padding") or [0] * axes
    longer = given if axes == 2 else [*given, 0]
    if len(longer) != 2 or not all(0 <= p < _LARGEST for p in longer):
        raise Unsupported(f"output_padding {given} must be {axes} numbers from 0")
    out = _given_output(ctx, size, strides, axes)
    if out is None:
        pads = _given_pads(ctx, axes)
        out = [whole[i] + longer[i] - pads[i] - pads[i + 2] for i in (0, 1)]
        before = list(pads[:2])
    else:
        totals = [max(whole[i] + longer[i] - out[i], 0) for i in (0, 1)]
        upper = ctx.attributes.text("auto_pad", "NOTSET") == "SAME_UPPER"
        before = [t // 2 if upper else t - t // 2 for t in totals]
    after = [whole[i] - before[i] - out[i] for i in (0, 1)]
    for i in (0, 1):
        if out[i] < 1 or after[i] <= -strides[i]:
            raise Unsupported(
                f"its output of {out} is not what {list(size)} pixels with strides "
                f"{list(strides)} reach; use another output_padding or output_shape"
            )
    return (*before, *after), out


def _given_output(
    ctx: NodeContext, size: tuple[int, ...], strides: tuple[int, int], axes: int
) -> list[int] | None:
    """Height and width where the node says them itself."""
    shape = ctx.attributes.integers("output_shape")
    if shape:
        shape = completed(shape[-axes:], axes)
        return list(checked_pair("output_shape", shape))
    if ctx.attributes.text("auto_pad", "NOTSET") in ("SAME_UPPER", "SAME_LOWER"):
        return [n * s for n, s in zip(size, strides, strict=True)]
    return None


def _given_pads(ctx: NodeContext, axes: int) -> list[int]:
    mode = ctx.attributes.text("auto_pad", "NOTSET")
    pads = ctx.attributes.integers("pads") or [0] * (2 * axes)
    if mode == "VALID":
        return [0, 0, 0, 0]
    if mode != "NOTSET":
        raise Unsupported(f"auto_pad {mode!r} is unknown")
    if axes == 1 and len(pads) == 2:
        pads = [pads[0], 0, pads[1], 0]
    if len(pads) != 4 or not all(0 <= p < _LARGEST for p in pads):
        raise Unsupported(f"pads {pads} must be four numbers from 0 to {_LARGEST - 1}")
    return pads


@converter("DepthToSpace")
def depth_to_space(ctx: NodeContext) -> list[Tensor]:
    x, block = _blocked(ctx)
    c, h, w = x.shape
    if c % block**2:
        raise Unsupported(f"blocksize {block} does not divide {c} channels into blocks")
    mode = ctx.attributes.text("mode", "DCR")
    if mode not in ("DCR", "CRD"):
        raise Unsupported(f"mode {mode!r} is unknown")
    if mode == "DCR":  # blocks stand before channels; the native order is the other
        x = ctx.emit("ChannelShuffle", [x], x.shape, groups=block**2)
    shape = (c // block**2, h * block, w * block)
    return [ctx.emit("DepthToSpace", [x], shape, block=block)]


@converter("SpaceToDepth")
def space_to_depth(ctx: NodeContext) -> list[Tensor]:
    x, block = _blocked(ctx)
    c, h, w = x.shape
    if h % block or w % block:
        raise Unsupported(f"blocksize {block} does not divide maps of {h}x{w}")
    shape = (c * block**2, h // block, w // block)
    deep = ctx.emit("SpaceToDepth", [x], shape, block=block)
    return [ctx.emit("ChannelShuffle", [deep], shape, groups=c)]


def _blocked(ctx: NodeContext) -> tuple[Tensor, int]:
    x = ctx.builder.as_map(ctx.tensor())
    block = ctx.attributes.integer("blocksize", 0)
    if len(x.dims) != 3 or not 1 <= block <= 1024:
        raise Unsupported(f"blocksize {block} must be from 1 to 1024, of maps")
    return x, block
