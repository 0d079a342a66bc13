"""Converters of normalisations, Dropout and Softmax."""

from __future__ import annotations

from onnx_import.builder import NodeContext
from onnx_import.convert_window import artificial_zero
from onnx_import.errors import Unsupported
from onnx_import.fold import axis_of
from onnx_import.imported import Transform
from onnx_import.registry import converter
from onnx_import.values import Tensor


@converter("BatchNormalization")
def batch_normalization(ctx: NodeContext) -> list[Tensor]:
    x = ctx.builder.as_channels(ctx.tensor())
    if ctx.attributes.integer("spatial", 1) != 1:
        raise Unsupported("spatial=0 is not supported")
    if x.channel_axis() != 0:
        raise Unsupported("its channels stand last; export with channels first (NCHW)")
    c = x.shape[0]
    params: list[str] = []
    for index, role in enumerate(("scale", "shift", "running_mean", "running_var"), start=1):
        params.append(_channel_param(ctx, index, role, params, c))
    epsilon, momentum = _epsilon(ctx), ctx.attributes.real("momentum", 0.9)
    if not 0 <= momentum <= 1:
        raise Unsupported(f"momentum {momentum} is out of range")
    more = {"epsilon": epsilon, "momentum": momentum}
    return [ctx.like(x, "BatchNormalization", params=params, more=more)]


@converter("Dropout")
def dropout(ctx: NodeContext) -> list[Tensor]:
    x = ctx.tensor()
    given = ctx.optional(1, "ratio")
    ratio = 0.5 if given is None else given.scalar("its ratio")
    if not 0 <= ratio < 1:
        raise Unsupported(f"ratio {ratio} must be in [0, 1)")
    if ratio == 0:
        return [ctx.alias(x)]
    return [ctx.like(x, "Dropout", ratio=ratio)]


@converter("LRN")
def lrn(ctx: NodeContext) -> list[Tensor]:
    x = ctx.builder.as_map(ctx.tensor())
    size = ctx.attributes.integer("size", 0)
    if not 1 <= size < 2**16 or size % 2 == 0:
        raise Unsupported(f"size {size} must be positive and odd")
    return [
        ctx.emit(
            "LRN",
            [x],
            x.shape,
            size=size,
            alpha=ctx.attributes.real("alpha", 1e-4),
            beta=ctx.attributes.real("beta", 0.75),
            bias=ctx.attributes.real("bias", 1.0),
        )
    ]


@converter("Softmax", "LogSoftmax")
def softmax(ctx: NodeContext) -> list[Tensor]:
    x = ctx.builder.as_channels(ctx.tensor())
    axis = ctx.attributes.integer("axis", -1)
    if axis_of(axis, len(x.dims) + 1) != 1 + x.channel_axis():
        raise Unsupported(f"axis {axis} must be the channels, {1 + x.channel_axis()}")
    return [ctx.like(x, ctx.node.op_type)]


@converter("LayerNormalization")
def layer_normalization(ctx: NodeContext) -> list[Tensor]:
    """Over the channels of each pixel, which must stand last."""
    x = ctx.builder.as_channels(ctx.tensor())
    last, axis = len(x.dims), ctx.attributes.integer("axis", -1)
    if axis_of(axis, last + 1) != last or x.channel_axis() != last - 1:
        raise Unsupported(
            f"axis {axis} of {['N', *x.dims]} is not the channels alone; normalise the last axis "
            "of a map with channels last, as torchvision's LayerNorm2d does"
        )
    params: list[str] = []
    scale, shift = ctx.known(1, "scale"), ctx.optional(2, "shift")
    if shift is not None and artificial_zero(shift):
        shift = None
    for index, role, given in ((1, "scale", scale), (2, "shift", shift)):
        if given is not None:
            frozen = given.origin in ("constant", "computed")
            params.append(_channel_param(ctx, index, role, params, x.shape[0], frozen))
    more = {"epsilon": _epsilon(ctx), "has_scale": True, "has_shift": len(params) > 1}
    return [ctx.like(x, "LayerNormalization", params=params, more=more)]


def _epsilon(ctx: NodeContext) -> float:
    epsilon = ctx.attributes.real("epsilon", 1e-5)
    if not epsilon >= 0:
        raise Unsupported(f"epsilon {epsilon} is out of range")
    return epsilon


def _channel_param(
    ctx: NodeContext, index: int, role: str, before: list[str], c: int, frozen: bool = False
) -> str:
    """A normalisation's parameter: one number per channel, shared with no other node."""
    shape = ctx.known(index, role).array(f"its {role}").shape
    if shape != (c,):
        raise Unsupported(f"its {role} has the shape {shape}, ({c},) is needed")
    stem = before[0] if before else ""
    transform = Transform((c,), (c,))
    return ctx.param(index, role, transform, stem=stem, statistics=True, frozen=frozen)
