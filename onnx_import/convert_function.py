"""Converters of the functions that are applied to every number alone."""

from __future__ import annotations

import math

from onnx_import.builder import NodeContext
from onnx_import.errors import Unsupported
from onnx_import.imported import Transform
from onnx_import.layout import check_per_channel
from onnx_import.registry import converter
from onnx_import.values import Tensor

#: Operators without attributes; the native op has the same name.
PLAIN = (
    *("Relu", "Sigmoid", "HardSwish", "Tanh", "Softplus", "Softsign", "Mish", "Erf"),
    *("Exp", "Log", "Sqrt", "Abs", "Neg", "Reciprocal"),
)
#: ONNX attributes of a function with their defaults, and what the native op calls them.
NUMBERS: dict[str, dict[str, tuple[str, float]]] = {
    "HardSigmoid": {"alpha": ("alpha", 0.2), "beta": ("beta", 0.5)},
    "LeakyRelu": {"alpha": ("alpha", 0.01)},
    "Elu": {"alpha": ("alpha", 1.0)},
    "Selu": {"alpha": ("alpha", 1.67326319217681884765625), "gamma": ("beta", 1.05070102214813)},
    "Celu": {"alpha": ("alpha", 1.0)},
}


@converter(*PLAIN)
def plain(ctx: NodeContext) -> list[Tensor]:
    x = ctx.tensor()
    return [ctx.like(x, ctx.node.op_type)]


@converter(*NUMBERS)
def with_numbers(ctx: NodeContext) -> list[Tensor]:
    x, op = ctx.tensor(), ctx.node.op_type
    numbers = {
        native: ctx.attributes.real(name, default)
        for name, (native, default) in NUMBERS[op].items()
    }
    slope_kept = all(0 < n < math.inf for n in numbers.values())
    if op != "HardSigmoid" and not slope_kept:
        shown = ", ".join(f"{name} {numbers[native]}" for name, (native, _) in NUMBERS[op].items())
        raise Unsupported(f"{shown} must be above 0")
    return [ctx.like(x, op, more=numbers)]


@converter("Gelu")
def gelu(ctx: NodeContext) -> list[Tensor]:
    x, form = ctx.tensor(), ctx.attributes.text("approximate", "none")
    if form not in ("none", "tanh"):
        raise Unsupported(f"approximate {form!r} is neither 'none' nor 'tanh'")
    return [ctx.like(x, "Gelu", approximate=form == "tanh")]


@converter("Clip")
def clip(ctx: NodeContext) -> list[Tensor]:
    x = ctx.tensor()
    low, high = _bound(ctx, 1, "min", -math.inf), _bound(ctx, 2, "max", math.inf)
    if (low, high) == (-math.inf, math.inf):
        return [ctx.alias(x)]
    if not low <= high:
        raise Unsupported(f"min {low} must be at most max {high}")
    return [ctx.like(x, "Clip", min=low, max=high)]


def _bound(ctx: NodeContext, index: int, what: str, missing: float) -> float:
    given = ctx.optional(index, what)
    return missing if given is None else given.scalar(f"its {what}")


@converter("Pow")
def power(ctx: NodeContext) -> list[Tensor]:
    x, exponent = ctx.tensor(), ctx.known(1, "exponent").scalar("its exponent")
    ctx.check_rank(1, x)
    if not math.isfinite(exponent):
        raise Unsupported(f"exponent {exponent} must be finite")
    if exponent == 1:
        return [ctx.alias(x)]
    named = {0.5: "Sqrt", -1.0: "Reciprocal"}.get(exponent)
    if named is not None:
        return [ctx.like(x, named)]
    return [ctx.like(x, "Pow", exponent=exponent)]


@converter("PRelu")
def prelu(ctx: NodeContext) -> list[Tensor]:
    """Slopes of shape (C, 1, 1), or one number for all channels."""
    x = ctx.builder.as_channels(ctx.tensor())
    shape = ctx.known(1, "slope").array("its slope").shape
    check_per_channel(shape, x, "slope")
    param = ctx.param(1, "slope", Transform(shape, (math.prod(shape),)))
    return [ctx.like(x, "PRelu", params=[param])]
