"""Converters of matrix products: dense layers, and those that mix the channels of each pixel."""

from __future__ import annotations

import math

from onnx_import.builder import NodeContext
from onnx_import.convert_window import artificial_zero
from onnx_import.errors import Unsupported
from onnx_import.imported import Columns, Transform
from onnx_import.registry import converter
from onnx_import.values import Flat, Tensor


@converter("Gemm")
def gemm(ctx: NodeContext) -> list[Tensor]:
    if ctx.attributes.integer("transA", 0):
        raise Unsupported("transA=1 would exchange the batch and the features")
    alpha, beta = ctx.attributes.real("alpha", 1.0), ctx.attributes.real("beta", 1.0)
    transposed = not ctx.attributes.integer("transB", 0)
    return [_dense(ctx, transposed, alpha, 0.0 if ctx.optional(2, "bias") is None else beta)]


@converter("MatMul")
def matmul(ctx: NodeContext) -> list[Tensor]:
    """Features times a matrix; of a map with channels last, a convolution of 1x1."""
    if isinstance(ctx.inputs[0], Flat):
        return [_dense(ctx, True, 1.0, 0.0)]
    x = ctx.tensor()
    if len(x.dims) == 1 or not x.order:
        return [_dense(ctx, True, 1.0, 0.0)]
    shape = ctx.known(1, "weight").array("its weight").shape
    c = x.shape[0]
    if x.channel_axis() != len(x.dims) - 1 or len(shape) != 2 or shape[0] != c or 0 in shape:
        raise Unsupported(
            f"its weight {shape} does not mix the channels of its input {['N', *x.dims]}; only "
            "features or a map with channels last can be multiplied"
        )
    transform = Transform(shape, (shape[1], c, 1, 1), transposed=True)
    params = [ctx.param(1, "weight", transform)]
    out = (shape[1], *x.shape[1:])
    dims = tuple(out[axis] for axis in x.order)
    return [ctx.emit("Conv", [x], out, dims=dims, order=x.order, params=params)]


def _dense(ctx: NodeContext, transposed: bool, alpha: float, beta: float) -> Tensor:
    flat = ctx.inputs[0] if isinstance(ctx.inputs[0], Flat) else None
    x = ctx.builder.flattened(flat.tensor) if flat else ctx.builder.as_features(ctx.tensor())
    shape = ctx.known(1, "weight").array("its weight").shape
    if len(shape) != 2 or shape[0 if transposed else 1] != x.shape[0] or 0 in shape:
        raise Unsupported(f"its weight {shape} does not fit {x.shape[0]} features")
    if alpha == 0 or not (math.isfinite(alpha) and math.isfinite(beta)):
        raise Unsupported(f"alpha {alpha} and beta {beta} leave no weights to train")
    out = shape[1] if transposed else shape[0]
    columns = Columns(flat.tensor.shape, flat.tensor.order) if flat else None
    transform = Transform(shape, (out, x.shape[0]), transposed, alpha, columns=columns)
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
