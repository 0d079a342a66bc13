"""Converters of the operators that only move elements: concat, slices, reshapes, shuffles."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from onnx_import.builder import NodeContext
from onnx_import.convert_pad import cropped
from onnx_import.errors import Unsupported
from onnx_import.fold import axis_of, ints, new_shape
from onnx_import.registry import converter
from onnx_import.values import BATCH_POINTS, Draw, Flat, Lined, Tensor, Value

#: An end of a slice that stands for all; some exporters count in 32 bits.
_NO_END = 2**31 - 1


@converter("Identity", "Cast", "CastLike")
def identity(ctx: NodeContext) -> list[Value]:
    if isinstance(ctx.inputs[0], Draw | Flat):
        return [ctx.inputs[0]]  # the ones and zeros of a mask, or what a dense layer will read
    if ctx.node.op_type == "Cast" and ctx.attributes.integer("to", 1) != 1:
        raise Unsupported("activations must stay float32")
    return [ctx.alias(ctx.tensor())]


@converter("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def reshape(ctx: NodeContext) -> list[Value]:
    """A reshape that keeps the batch only changes how later nodes see the value."""
    x = ctx.tensor()
    argument = ctx.optional(1, "target")
    shapes = [
        _new_shape(ctx, x, batch, None if argument is None else argument.at[point])
        for point, batch in enumerate(BATCH_POINTS)
    ]
    if shapes == [(batch * x.elements(),) for batch in BATCH_POINTS]:
        if x.moves_elements():
            raise Unsupported(f"it reshapes the transposed maps {['N', *x.dims]}")
        return [Lined(x)]
    batches, dims = [s[:1] for s in shapes], [s[1:] for s in shapes]
    if batches != [(b,) for b in BATCH_POINTS] or dims[0] != dims[1] or not dims[0]:
        raise Unsupported(f"it mixes the batch with other dimensions of {['N', *x.dims]}")
    if x.moves_elements():
        if dims[0] == (x.elements(),):
            return [Flat(x)]
        raise Unsupported(f"it reshapes the transposed maps {['N', *x.dims]}; transpose them back")
    return [ctx.alias(x, dims[0])]


def _new_shape(
    ctx: NodeContext, x: Tensor, batch: int, argument: np.ndarray | None
) -> tuple[int, ...]:
    op = ctx.node.op_type
    fixed = ctx.builder.fixed_batch
    argument = None if argument is None else np.array(ints(argument), np.int64)
    if op == "Reshape" and fixed and argument is not None and argument.size:
        # A file made for one batch size names it; the batch is ours.
        sample = argument[1:]
        if argument[0] == fixed and (-1 in sample or math.prod(sample.tolist()) == x.elements()):
            argument = np.concatenate([[batch], sample])
    return new_shape(op, ctx.attributes, (batch, *x.dims), argument)


@converter("Transpose")
def transpose(ctx: NodeContext) -> list[Tensor]:
    """A map only changes the order in which later nodes see its axes; or a channel shuffle."""
    x = ctx.tensor()
    rank = len(x.dims) + 1
    perm = ctx.attributes.integers("perm") or list(reversed(range(rank)))
    if sorted(perm) != list(range(rank)) or perm[0] != 0:
        raise Unsupported(
            f"perm {perm} moves the batch; where it belongs to an adaptive pool whose size does "
            "not divide that of its map, export with larger images, 224 for AlexNet and VGG"
        )
    dims = tuple(x.dims[p - 1] for p in perm[1:])
    if x.is_map() or x.order:
        return [_in_order(ctx.alias(x), [p - 1 for p in perm[1:]])]
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


def _in_order(x: Tensor, places: list[int]) -> Tensor:
    """The map with dimension `places[i]` at place i."""
    order = tuple((x.order or (0, 1, 2))[place] for place in places)
    dims = tuple(x.shape[axis] for axis in order)
    return replace(x, dims=dims, order=() if order == tuple(range(len(order))) else order)


@converter("Concat")
def concat(ctx: NodeContext) -> list[Tensor]:
    tensors = [ctx.builder.as_channels(ctx.tensor(i)) for i in range(len(ctx.inputs))]
    first = tensors[0]
    axis, channels = ctx.attributes.integer("axis", 1), 1 + first.channel_axis()
    if axis_of(axis, len(first.dims) + 1) != channels:
        raise Unsupported(f"axis {axis} must be the channels, {channels}")
    if len({(t.shape[1:], len(t.dims), t.order) for t in tensors}) > 1:
        raise Unsupported(f"its inputs differ in more than channels: {[t.shape for t in tensors]}")
    if len(tensors) == 1:
        return [ctx.alias(tensors[0])]
    shape = (sum(t.shape[0] for t in tensors), *first.shape[1:])
    return [ctx.emit("Concat", tensors, shape, dims=first.dims_of(shape), order=first.order)]


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
        if step == 0:
            raise Unsupported("it cuts with step 0")
        begin, stop, by = slice(start, end, step).indices(size)
        if (begin, stop, by) == (0, size, 1) and (axis or end >= _NO_END):
            continue
        count = len(range(begin, stop, by))
        native = (x.order or (0, 1, 2))[axis - 1] if 1 <= axis <= 3 else -1  # of C, H, W
        if native < 0 or count == 0 or (native == 0 and by != 1):
            raise Unsupported(
                f"it cuts axis {axis} as {start}:{end}:{step}; only channels with step 1, rows "
                "and columns can be cut"
            )
        if native == 0:
            x = cut(ctx, x, begin, stop, ctx.output)
        else:
            x = cropped(ctx, x, 1 + native, begin, by, count)
    return [ctx.alias(x)]


@converter("Gather")
def gather_channel(ctx: NodeContext) -> list[Tensor]:
    """x[:, i] of one channel, as in the input transform of torchvision's GoogLeNet."""
    if isinstance(ctx.inputs[0], Lined):
        return [_gathered(ctx, ctx.inputs[0].tensor)]
    x = ctx.tensor()
    index = ctx.known(1, "indices").array("its indices")
    axis = axis_of(ctx.attributes.integer("axis", 0), len(x.dims) + 1)
    if axis != 1 or index.size != 1 or not -x.dims[0] <= int(index.reshape(())) < x.dims[0]:
        raise Unsupported("only one channel can be gathered")
    begin = int(index.reshape(())) % x.dims[0]
    part = cut(ctx, x, begin, begin + 1, ctx.output)
    return [ctx.alias(part, part.dims[1:] if index.ndim == 0 else part.dims)]


def _gathered(ctx: NodeContext, x: Tensor) -> Tensor:
    """All elements of the batch in their order: a reshape, as torch's as_strided becomes it."""
    indices = ctx.known(1, "indices").at
    for index, batch in zip(indices, BATCH_POINTS, strict=True):
        everything = np.arange(batch * x.elements()).reshape(batch, *x.dims)
        if index.shape[:1] != (batch,) or not np.array_equal(index.ravel(), everything.ravel()):
            raise Unsupported("only all elements in their order can be gathered from one dimension")
    return ctx.alias(x, indices[0].shape[1:])


@converter("Split")
def split_channels(ctx: NodeContext) -> list[Tensor]:
    x = ctx.builder.as_channels(ctx.tensor())
    given, count = ctx.optional(1, "split"), len(ctx.node.output)
    total = channels_along(ctx, x)
    size = -(-total // count)
    sizes = [size] * (count - 1) + [total - size * (count - 1)]
    ends = split_ends(sizes if given is None else given.integers("split"), count, total)
    return [
        cut(ctx, x, begin, end, name)
        for begin, end, name in zip([0, *ends], ends, ctx.node.output, strict=False)
    ]


def channels_along(ctx: NodeContext, x: Tensor) -> int:
    """How many channels a node splits. Errors: `Unsupported` for another axis."""
    axis, channels = ctx.attributes.integer("axis", 0), 1 + x.channel_axis()
    if axis_of(axis, len(x.dims) + 1) != channels:
        raise Unsupported(f"axis {axis} must be the channels, {channels}")
    return x.shape[0]


def split_ends(sizes: list[int], count: int, total: int) -> list[int]:
    """Where the parts end. Errors: `Unsupported` unless they are `count` and make up `total`."""
    if len(sizes) != count or min(sizes, default=0) <= 0 or sum(sizes) != total:
        raise Unsupported(f"sizes {sizes} do not split {total} channels into {count}")
    ends: list[int] = np.cumsum(sizes).tolist()
    return ends


def cut(ctx: NodeContext, x: Tensor, begin: int, end: int, output: str) -> Tensor:
    """Channels [begin, end) of a map or of features."""
    x = ctx.builder.as_channels(x)
    shape = (end - begin, *x.shape[1:])
    return ctx.builder.emit(
        "Slice",
        ctx.name,
        [x],
        shape,
        output,
        dims=x.dims_of(shape),
        order=x.order,
        attributes={"range": (begin, end)},
    )
