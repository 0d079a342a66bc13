"""Evaluators that cut constants into pieces and put pieces together."""

from __future__ import annotations

import numpy as np

from onnx_import.errors import Unsupported
from onnx_import.fold.table import Array, Call, axis_of, folder, ints, size_of


@folder("Concat")
def concat(call: Call, *parts: Array) -> Array:
    axis = axis_of(call.attributes.integer("axis", 0), parts[0].ndim)
    call.make((sum(p.size for p in parts),), np.result_type(*parts))
    return np.concatenate(parts, axis)


@folder("Gather")
def gather(call: Call, x: Array, indices: Array) -> Array:
    axis = axis_of(call.attributes.integer("axis", 0), x.ndim)
    call.make((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]), x.dtype)
    return np.take(x, indices, axis)


@folder("Slice")
def sliced(
    call: Call,
    x: Array,
    starts: Array,
    ends: Array,
    axes: Array | None = None,
    steps: Array | None = None,
) -> Array:
    where = call.axes(axes, x.ndim)
    where = tuple(range(starts.size)) if where is None else where
    by = [1] * len(where) if steps is None else ints(steps)
    cut = [slice(None)] * x.ndim
    for axis, start, end, step in zip(where, ints(starts), ints(ends), by, strict=True):
        last = end if step > 0 or end >= -x.shape[axis] else None
        cut[axis] = slice(start, last, step)
    return x[tuple(cut)]


@folder("Split")
def split(call: Call, x: Array, sizes: Array | None = None) -> list[Array]:
    axis = axis_of(call.attributes.integer("axis", 0), x.ndim)
    count = len(call.node.output)
    if call.attributes.integer("num_outputs", count) != count:
        raise Unsupported(f"num_outputs does not match its {count} outputs")
    lengths = split_lengths(x.shape[axis], count, None if sizes is None else ints(sizes))
    ends = np.cumsum(lengths)
    return [
        np.take(x, range(end - length, end), axis) if length else x.take([], axis)
        for length, end in zip(lengths, ends.tolist(), strict=True)
    ]


def split_lengths(size: int, count: int, given: list[int] | None) -> list[int]:
    """The pieces of a Split: equal ones, the last one smaller, where none are given."""
    each = -(-size // max(count, 1))
    lengths = [each] * (count - 1) + [size - each * (count - 1)] if given is None else given
    if min(lengths, default=-1) < 0 or sum(lengths) != size:
        raise Unsupported(f"sizes {lengths} do not split {size} elements into {count}")
    return lengths


@folder("Tile")
def tile(call: Call, x: Array, repeats: Array) -> Array:
    times = ints(repeats)
    if len(times) != x.ndim or min(times, default=0) < 0:
        raise Unsupported(f"repeats {times} do not fit {x.ndim} dimensions")
    call.make([d * t for d, t in zip(x.shape, times, strict=True)], x.dtype)
    return np.tile(x, times)


@folder("OneHot")
def one_hot(call: Call, indices: Array, depth: Array, values: Array) -> Array:
    axis, count = call.attributes.integer("axis", -1), int(depth.reshape(()))
    axis = axis_of(axis, indices.ndim + 1)
    shape = (*indices.shape[:axis], count, *indices.shape[axis:])
    call.make(shape, np.int64)
    wanted = np.expand_dims(indices % count if count > 0 else indices, axis)
    at = np.arange(count).reshape([-1 if i == axis else 1 for i in range(len(shape))])
    inside = np.expand_dims((indices >= -count) & (indices < count), axis)
    return np.where((wanted == at) & inside, values[1], values[0])


_PAD_MODES = {"constant": "constant", "edge": "edge", "reflect": "reflect", "wrap": "wrap"}


@folder("Pad")
def pad(
    call: Call, x: Array, pads: Array, value: Array | None = None, axes: Array | None = None
) -> Array:
    where = call.axes(axes, x.ndim)
    where = tuple(range(x.ndim)) if where is None else where
    amounts = ints(pads)
    if len(amounts) != 2 * len(where):
        raise Unsupported(f"pads {amounts} do not fit {len(where)} axes")
    widths = [(0, 0)] * x.ndim
    for axis, before, after in zip(where, amounts, amounts[len(where) :], strict=False):
        widths[axis] = (before, after)
    call.make([d + a + b for d, (a, b) in zip(x.shape, widths, strict=True)], x.dtype)
    cut = tuple(slice(-min(a, 0), d + min(b, 0)) for d, (a, b) in zip(x.shape, widths, strict=True))
    grown = [(max(a, 0), max(b, 0)) for a, b in widths]
    mode = call.attributes.text("mode", "constant")
    if mode not in _PAD_MODES:
        raise Unsupported(f"mode {mode!r} is unknown")
    if mode != "constant":
        return np.pad(x[cut], grown, _PAD_MODES[mode])  # type: ignore[call-overload]
    fill = x.dtype.type(0) if value is None else value.reshape(())
    return np.pad(x[cut], grown, constant_values=fill)


@folder("DepthToSpace")
def depth_to_space(call: Call, x: Array) -> Array:
    block = _block(call, x)
    n, c, h, w = x.shape
    call.make(x.shape, x.dtype)
    if call.attributes.text("mode", "DCR") == "DCR":
        blocks = x.reshape(n, block, block, c // block**2, h, w).transpose(0, 3, 4, 1, 5, 2)
    else:
        blocks = x.reshape(n, c // block**2, block, block, h, w).transpose(0, 1, 4, 2, 5, 3)
    return blocks.reshape(n, c // block**2, h * block, w * block)


@folder("SpaceToDepth")
def space_to_depth(call: Call, x: Array) -> Array:
    block = _block(call, x)
    n, c, h, w = x.shape
    call.make(x.shape, x.dtype)
    blocks = x.reshape(n, c, h // block, block, w // block, block)
    dcr = call.attributes.text("mode", "DCR") == "DCR"
    moved = blocks.transpose((0, 3, 5, 1, 2, 4) if dcr else (0, 1, 3, 5, 2, 4))
    return moved.reshape(n, c * block**2, h // block, w // block)


def _block(call: Call, x: Array) -> int:
    block = call.attributes.integer("blocksize", 0)
    if block < 1 or x.ndim != 4 or size_of(x.shape) == 0:
        raise Unsupported(f"blocksize {block} does not fit {list(x.shape)}")
    return block
