"""Converters of the operators that only move elements: concat, slices, reshapes, shuffles."""

from __future__ import annotations

import math

import numpy as np

from onnx_import.builder import NodeContext
from onnx_import.errors import Unsupported
from onnx_import.fold import axis_of, ints, new_shape
from onnx_import.registry import converter
from onnx_import.values import BATCH_POINTS, Tensor


@converter("Identity", "Cast", "CastLike")
def identity(ctx: NodeContext) -> list[Tensor]:
    if ctx.node.op_type == "Cast" and ctx.attributes.integer("to", 1) != 1:
        raise Unsupported("activations must stay float32")
    return [ctx.alias(ctx.tensor())]


@converter("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def reshape(ctx: NodeContext) -> list[Tensor]:
    """A reshape that keeps the batch only changes how later nodes see the value."""
    x = ctx.tensor()
    argument = ctx.optional(1, "target")
    dims = [
        _sample_dims(ctx, x, batch, None if argument is None else argument.at[point])
        for point, batch in enumerate(BATCH_POINTS)
    ]
    if dims[0] is None or dims[0] != dims[1]:
        raise Unsupported(f"it mixes the batch with other dimensions of {['N', *x.dims]}")
    return [ctx.alias(x, dims[0])]


def _sample_dims(
    ctx: NodeContext, x: Tensor, batch: int, argument: np.ndarray | None
) -> tuple[int, ...] | None:
    """Dimensions after the batch; None where the first one is not the batch."""
    op = ctx.node.op_type
    fixed = ctx.builder.fixed_batch
    argument = None if argument is None else np.array(ints(argument), np.int64)
    if op == "Reshape" and fixed and argument is not None and argument.size:
        # A file made for one batch size names it; the batch is ours.
        sample = argument[1:]
        if argument[0] == fixed and (-1 in sample or math.prod(sample.tolist()) == x.elements()):
            argument = np.concatenate([[batch], sample])
    shape = new_shape(op, ctx.attributes, (batch, *x.dims), argument)
    return shape[1:] if len(shape) > 1 and shape[0] == batch else None


@converter("Transpose")
def transpose(ctx: NodeContext) -> list[Tensor]:
    x = ctx.tensor()
    rank = len(x.dims) + 1
    perm = ctx.attributes.integers("perm") or list(reversed(range(rank)))
    if sorted(perm) != list(range(rank)) or perm[0] != 0:
        raise Unsupported(f"perm {perm} moves the batch")
    dims = tuple(x.dims[p - 1] for p in perm[1:])
    moved = [p for p in perm[1:] if x.dims[p - 1] != 1]
    if moved == sorted(moved):
        return [ctx.alias(x, dims)]
    c, h, w = x.shape
    groups = x.dims[0]
    is_shuffle = perm[1:3] == [2, 1] and perm[3:] == list(range(3, rank))
    if not is_shuffle or groups * x.dims[1] != c or math.prod(x.dims[2:]) != h * w:
        raise Unsupported(
            f"perm {perm} of {['N', *x.dims]} is not a channel shuffle; "
            "export with channels first (NCHW)"
        )
    return [ctx.emit("ChannelShuffle", [x], x.shape, dims=dims, groups=groups)]


@converter("Concat")
def concat(ctx: NodeContext) -> list[Tensor]:
    tensors = [ctx.tensor(i) for i in range(len(ctx.inputs))]
    builder = ctx.builder
    flat = len(tensors[0].dims) == 1
    axis = ctx.attributes.integer("axis", 1)
    if axis_of(axis, len(tensors[0].dims) + 1) != 1:
        raise Unsupported(f"axis {axis} must be the channels, 1")
    tensors = [builder.as_features(t) if flat else builder.as_map(t) for t in tensors]
    if len({t.shape[1:] for t in tensors}) > 1:
        raise Unsupported(f"its inputs differ in more than channels: {[t.shape for t in tensors]}")
    if len(tensors) == 1:
        return [ctx.alias(tensors[0])]
    shape = (sum(t.shape[0] for t in tensors), *tensors[0].shape[1:])
    return [ctx.emit("Concat", tensors, shape, dims=shape[: len(tensors[0].dims)])]


@converter("Slice")
def slice_channels(ctx: NodeContext) -> list[Tensor]:
    x = ctx.tensor()
    starts = ctx.known(1, "starts").integers("starts")
    ends = ctx.known(2, "ends").integers("ends")
    axes_input, steps_input = ctx.optional(3, "axes"), ctx.optional(4, "steps")
    axes = list(range(len(starts))) if axes_input is None else axes_input.integers("axes")
    steps = [1] * len(starts) if steps_input is None else steps_input.integers("steps")
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        axis = axis_of(axis, len(x.dims) + 1)
        size = x.dims[axis - 1] if axis else max(BATCH_POINTS)
        begin, stop, by = slice(start, end, step).indices(size)
        if (begin, stop, by) == (0, size, 1) and (axis or end > 2**31):
            continue
        if axis != 1 or by != 1 or begin >= stop:
            raise Unsupported(f"it cuts axis {axis} as {start}:{end}:{step}; only channels, step 1")
        x = _cut(ctx, x, begin, stop, ctx.output)
    return [ctx.alias(x)]


@converter("Gather")
def gather_channel(ctx: NodeContext) -> list[Tensor]:
    """x[:, i] of one channel, as in the input transform of torchvision's GoogLeNet."""
    x = ctx.tensor()
    index = ctx.known(1, "indices").array("its indices")
    axis = axis_of(ctx.attributes.integer("axis", 0), len(x.dims) + 1)
    if axis != 1 or index.size != 1 or not -x.dims[0] <= int(index.reshape(())) < x.dims[0]:
        raise Unsupported("only one channel can be gathered")
    begin = int(index.reshape(())) % x.dims[0]
    part = _cut(ctx, x, begin, begin + 1, ctx.output)
    return [ctx.alias(part, part.dims[1:] if index.ndim == 0 else part.dims)]


@converter("Split")
def split_channels(ctx: NodeContext) -> list[Tensor]:
    x = ctx.tensor()
    axis = axis_of(ctx.attributes.integer("axis", 0), len(x.dims) + 1)
    if axis != 1:
        raise Unsupported(f"axis {axis} must be the channels, 1")
    given, count = ctx.optional(1, "split"), len(ctx.node.output)
    size = -(-x.dims[0] // count)
    sizes = [size] * (count - 1) + [x.dims[0] - size * (count - 1)]
    if given is not None:
        sizes = given.integers("split")
    if len(sizes) != count or min(sizes) <= 0 or sum(sizes) != x.dims[0]:
        raise Unsupported(f"sizes {sizes} do not split {x.dims[0]} channels into {count}")
    ends = np.cumsum(sizes).tolist()
    return [
        _cut(ctx, x, end - n, end, name)
        for n, end, name in zip(sizes, ends, ctx.node.output, strict=True)
    ]


def _cut(ctx: NodeContext, x: Tensor, begin: int, end: int, output: str) -> Tensor:
    """Channels [begin, end) of a map or of features."""
    x = ctx.builder.as_features(x) if len(x.dims) == 1 else ctx.builder.as_map(x)
    shape = (end - begin, *x.shape[1:])
    dims = shape[: len(x.dims)]
    return ctx.builder.emit(
        "Slice", ctx.name, [x], shape, output, dims=dims, attributes={"range": (begin, end)}
    )
