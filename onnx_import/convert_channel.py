"""Converters of normalisations, Dropout, Softmax, and of the classifier's dense layers."""

from __future__ import annotations

import math

from onnx_import.builder import NodeContext
from onnx_import.convert_window import artificial_zero
from onnx_import.errors import Unsupported
from onnx_import.fold import axis_of
from onnx_import.imported import Transform
from onnx_import.registry import converter
from onnx_import.values import Tensor


@converter("BatchNormalization")
def batch_normalization(ctx: NodeContext) -> list[Tensor]:
    x = ctx.tensor()
    x = ctx.builder.as_features(x) if len(x.dims) == 1 else ctx.builder.as_map(x)
    if ctx.attributes.integer("spatial", 1) != 1:
        raise Unsupported("spatial=0 is not supported")
    c = x.shape[0]
    params: list[str] = []
    for index, role in enumerate(("scale", "shift", "running_mean", "running_var"), start=1):
        shape = ctx.known(index, role).array(f"its {role}").shape
        if shape != (c,):
            raise Unsupported(f"its {role} has the shape {shape}, ({c},) is needed")
        stem = params[0] if params else ""
        transform = Transform((c,), (c,))
        params.append(ctx.param(index, role, transform, stem=stem, statistics=True))
    epsilon, momentum = ctx.attributes.real("epsilon", 1e-5), ctx.attributes.real("momentum", 0.9)
    if not (epsilon >= 0 and 0 <= momentum <= 1):
        raise Unsupported(f"epsilon {epsilon} or momentum {momentum} is out of range")
    return [
        ctx.emit(
            "BatchNormalization",
            [x],
            x.shape,
            dims=x.dims,
            params=params,
            epsilon=epsilon,
            momentum=momentum,
        )
    ]


@converter("Dropout")
def dropout(ctx: NodeContext) -> list[Tensor]:
    x = ctx.tensor()
    given = ctx.optional(1, "ratio")
    ratio = 0.5 if given is None else given.scalar("its ratio")
    if not 0 <= ratio < 1:
        raise Unsupported(f"ratio {ratio} must be in [0, 1)")
    if ratio == 0:
        return [ctx.alias(x)]
    return [ctx.emit("Dropout", [x], x.shape, dims=x.dims, ratio=ratio)]


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


@converter("Softmax")
def softmax(ctx: NodeContext) -> list[Tensor]:
    x = ctx.tensor()
    x = ctx.builder.as_features(x) if len(x.dims) == 1 else ctx.builder.as_map(x)
    axis = ctx.attributes.integer("axis", -1)
    if axis_of(axis, len(x.dims) + 1) != 1:
        raise Unsupported(f"axis {axis} must be the channels, 1")
    return [ctx.emit("Softmax", [x], x.shape, dims=x.dims)]


@converter("Gemm")
def gemm(ctx: NodeContext) -> list[Tensor]:
    if ctx.attributes.integer("transA", 0):
        raise Unsupported("transA=1 would exchange the batch and the features")
    alpha, beta = ctx.attributes.real("alpha", 1.0), ctx.attributes.real("beta", 1.0)
    transposed = not ctx.attributes.integer("transB", 0)
    return [_dense(ctx, transposed, alpha, 0.0 if ctx.optional(2, "bias") is None else beta)]


@converter("MatMul")
def matmul(ctx: NodeContext) -> list[Tensor]:
    return [_dense(ctx, True, 1.0, 0.0)]


def _dense(ctx: NodeContext, transposed: bool, alpha: float, beta: float) -> Tensor:
    x = ctx.builder.as_features(ctx.tensor())
    shape = ctx.known(1, "weight").array("its weight").shape
    if len(shape) != 2 or shape[0 if transposed else 1] != x.shape[0] or 0 in shape:
        raise Unsupported(f"its weight {shape} does not fit {x.shape[0]} features")
    if alpha == 0 or not (math.isfinite(alpha) and math.isfinite(beta)):
        raise Unsupported(f"alpha {alpha} and beta {beta} leave no weights to train")
    out = shape[1] if transposed else shape[0]
    transform = Transform(shape, (out, x.shape[0]), transposed, alpha)
    params = [ctx.param(1, "weight", transform)]
    if beta != 0:
        params += dense_bias(ctx, 2, out, params[0], beta)
    return ctx.emit("Dense", [x], (out, 1, 1), dims=(out,), params=params)


def dense_bias(ctx: NodeContext, index: int, out: int, stem: str, beta: float = 1.0) -> list[str]:
    """The bias parameter, if it is one."""
    shape = ctx.known(index, "bias").array("its bias").shape
    elements = math.prod(shape)
    if elements not in (1, out) or (elements == out > 1 and shape[-1] != out):
        raise Unsupported(f"its bias has the shape {shape}, ({out},) is needed")
    if artificial_zero(ctx.known(index, "bias")):
        return []
    onnx_shape = shape if elements == out else (out,)
    return [ctx.param(index, "bias", Transform(onnx_shape, (out,), factor=beta), stem=stem)]
