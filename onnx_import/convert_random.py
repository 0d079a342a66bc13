"""Converters of random masks: dropout and stochastic depth that a file spells out.

The training form of torchvision's networks draws a number per sample, compares it with the
probability of keeping the sample, and multiplies by the quotient.
"""

from __future__ import annotations

import math

from onnx_import.builder import NodeContext
from onnx_import.errors import Unsupported
from onnx_import.registry import converter
from onnx_import.values import BATCH_POINTS, Draw, Known, Tensor, Value

_ONLY_MASKS = "random numbers can only be masks of Dropout or stochastic depth"


@converter("RandomUniformLike")
def uniform(ctx: NodeContext) -> list[Value]:
    low, high = ctx.attributes.real("low", 0.0), ctx.attributes.real("high", 1.0)
    if (low, high) != (0.0, 1.0):
        raise Unsupported(f"{_ONLY_MASKS}, uniform from 0 to 1, not {low} to {high}")
    return [Draw(_dims(ctx))]


@converter("Bernoulli")
def bernoulli(ctx: NodeContext) -> list[Value]:
    """Ones with the probability that its constant input names."""
    dims, given = _dims(ctx), ctx.known(0, "probability")
    kept = float(given.at[0].flat[0])
    if not all((array == kept).all() for array in given.at):
        raise Unsupported(f"{_ONLY_MASKS} of one probability")
    return [Draw(dims, _probability(kept))]


def _dims(ctx: NodeContext) -> tuple[int, ...]:
    """The dimensions after the batch of the input."""
    value = ctx.inputs[0] if ctx.inputs else None
    if isinstance(value, Tensor):
        return value.dims
    shapes = [array.shape for array in value.at] if isinstance(value, Known) else [(), ()]
    batches = tuple(shape[0] if shape else 0 for shape in shapes)
    if batches != BATCH_POINTS or shapes[0][1:] != shapes[1][1:]:
        raise Unsupported(f"{_ONLY_MASKS}, one or more per sample of the batch")
    return shapes[0][1:]


def _probability(kept: float) -> float:
    if not 0 < kept <= 1:
        raise Unsupported(f"it keeps with probability {kept}, which must be above 0 and at most 1")
    return kept


@converter("Less", "LessOrEqual")
def less(ctx: NodeContext) -> list[Value]:
    draw = ctx.inputs[0]
    if not isinstance(draw, Draw) or draw.kept is not None:
        raise Unsupported("only random numbers can be compared")
    return [Draw(draw.dims, _probability(ctx.known(1, "probability").scalar("its probability")))]


def with_draw(ctx: NodeContext) -> Value:
    """A mask times or over a number, or an activation times a mask."""
    first, second = ctx.inputs
    op = ctx.node.op_type
    if isinstance(second, Draw) and op == "Mul":
        first, second = second, first
    if not isinstance(first, Draw) or first.kept is None or op not in ("Mul", "Div"):
        raise Unsupported(_ONLY_MASKS)
    if isinstance(second, Known):
        number = second.scalar("its constant")
        if number == 0:
            raise Unsupported("it divides or multiplies a mask by zero")
        return Draw(first.dims, first.kept, first.factor * (number if op == "Mul" else 1 / number))
    if not isinstance(second, Tensor) or op != "Mul":
        raise Unsupported(_ONLY_MASKS)
    return _masked(ctx, second, first)


def _masked(ctx: NodeContext, x: Tensor, mask: Draw) -> Tensor:
    assert mask.kept is not None
    per_sample = math.prod(mask.dims) == 1
    if not per_sample and (mask.dims != x.dims or x.order):
        raise Unsupported(
            f"its mask has the shape {['N', *mask.dims]}, which must have one number per sample or "
            f"that of the activation, {['N', *x.dims]}"
        )
    if not math.isclose(mask.factor * mask.kept, 1.0, rel_tol=1e-4):
        raise Unsupported(
            f"it keeps with probability {mask.kept} and multiplies by {mask.factor}; a mask must "
            "keep the mean"
        )
    if mask.kept == 1:
        return ctx.alias(x)
    return ctx.like(x, "Dropout", ratio=1 - mask.kept, per_sample=per_sample)
