"""Converters of the operators that pad or crop maps, native resamplings by whole steps."""

from __future__ import annotations

from onnx_import.builder import NodeContext
from onnx_import.errors import Unsupported
from onnx_import.registry import converter
from onnx_import.values import Padding, Tensor


@converter("Pad")
def pad(ctx: NodeContext) -> list[Tensor]:
    x = ctx.builder.as_map(ctx.tensor())
    mode = ctx.attributes.text("mode", "constant")
    if mode not in ("constant", "edge", "reflect", "wrap"):
        raise Unsupported(f"mode {mode!r} is unknown")
    before, after = _pads(ctx, len(x.dims) + 1)
    value = _pad_value(ctx) if mode == "constant" else 0.0
    if before[0] or after[0]:
        raise Unsupported("it pads the batch")
    if mode in ("reflect", "wrap") and min(*before, *after) < 0 < max(*before, *after):
        raise Unsupported(f"it pads by {mode} and crops at once")
    padded = _padded_map(ctx, x, before[2:], after[2:], mode, value)
    return [_padded_channels(ctx, padded, before[1], after[1], mode, value)]


def _pads(ctx: NodeContext, rank: int) -> tuple[list[int], list[int]]:
    """What is added before and after each of four axes; negative where it is cut off."""
    pads = ctx.known(1, "pads").integers("its pads")
    given = ctx.optional(3, "axes")
    axes = list(range(rank))
    if given is not None:
        axes = [a % rank for a in given.integers("its axes")]
    if len(pads) != 2 * len(axes) or not all(abs(p) < 2**16 for p in pads):
        raise Unsupported(f"pads {pads} must be two numbers below 65536 for each of {axes}")
    before, after = [0] * 4, [0] * 4
    for i, axis in enumerate(axes):
        before[axis], after[axis] = pads[i], pads[i + len(axes)]
    return before, after


def _pad_value(ctx: NodeContext) -> float:
    given = ctx.optional(2, "constant value")
    return 0.0 if given is None or given.at[0].size == 0 else given.scalar("its constant value")


def _padded_map(
    ctx: NodeContext, x: Tensor, before: list[int], after: list[int], mode: str, value: float
) -> Tensor:
    """Rows and columns padded; what follows may look behind a padding with one value."""
    if not any(before + after):
        return x
    extent = tuple(n + b + a for n, b, a in zip(x.shape[1:], before, after, strict=True))
    if min(extent) < 1:
        raise Unsupported(f"it leaves nothing of {list(x.shape[1:])}: {list(extent)}")
    result = ctx.emit(
        "Resample",
        [x],
        (x.shape[0], extent[0], extent[1]),
        extent=extent,
        rows=(float(-before[0]), 1.0, 1.0, 0.0),
        columns=(float(-before[1]), 1.0, 1.0, 0.0),
        border=mode,
        border_value=value,
    )
    if mode == "constant" and min(before + after) >= 0:
        ctx.builder.padded[result.name] = Padding(x, (*before, *after), value)
    return result


def _padded_channels(
    ctx: NodeContext, x: Tensor, before: int, after: int, mode: str, value: float
) -> Tensor:
    """Channels of one value on either side."""
    if before == after == 0:
        return ctx.alias(x)
    if mode != "constant" or min(before, after) < 0:
        raise Unsupported("channels can only be padded with a constant")
    parts = [*_filled(ctx, x, before, value), x, *_filled(ctx, x, after, value)]
    shape = (x.shape[0] + before + after, *x.shape[1:])
    return ctx.emit("Concat", parts, shape)


def _filled(ctx: NodeContext, x: Tensor, count: int, value: float) -> list[Tensor]:
    """`count` channels of one value, made of those of `x`: a graph has no constant maps."""
    parts = []
    while count > 0:
        n = min(count, x.shape[0])
        shape = (n, *x.shape[1:])
        emit, stem = ctx.builder.emit, f"{ctx.output}.fill"
        part = emit("Slice", stem, [x], shape, stem, attributes={"range": (0, n)})
        parts.append(
            emit("Clip", stem, [part], shape, stem, attributes={"min": value, "max": value})
        )
        count -= n
    return parts


def cropped(ctx: NodeContext, x: Tensor, axis: int, begin: int, step: int, count: int) -> Tensor:
    """`count` rows (axis 2) or columns (axis 3) of a map: begin, begin + step, ..."""
    x = ctx.builder.as_channels(x)
    rows = columns = (0.0, 1.0, 1.0, 0.0)
    taken = (0.0, float(step), 1.0, float(begin))
    if axis == 2:
        extent, rows = (count, x.shape[2]), taken
    else:
        extent, columns = (x.shape[1], count), taken
    shape = (x.shape[0], extent[0], extent[1])
    return ctx.emit(
        "Resample",
        [x],
        shape,
        dims=x.dims_of(shape),
        order=x.order,
        extent=extent,
        rows=rows,
        columns=columns,
    )
