"""Converters of the operators that work channel by channel, and of the classifier's layers."""

from __future__ import annotations

import math

import numpy as np

from onnx_import.builder import NodeContext
from onnx_import.convert_window import artificial_zero
from onnx_import.errors import Unsupported
from onnx_import.imported import Transform
from onnx_import.registry import converter
from onnx_import.text import GraphNode
from onnx_import.values import Known, Tensor


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


@converter("Relu")
def relu(ctx: NodeContext) -> list[Tensor]:
    x = ctx.tensor()
    return [ctx.emit("Relu", [x], x.shape, dims=x.dims)]


@converter("Clip")
def clip(ctx: NodeContext) -> list[Tensor]:
    x = ctx.tensor()
    low, high = _bound(ctx, 1, "min", -math.inf), _bound(ctx, 2, "max", math.inf)
    if (low, high) == (-math.inf, math.inf):
        return [ctx.alias(x)]
    if not low <= high:
        raise Unsupported(f"min {low} must be at most max {high}")
    return [ctx.emit("Clip", [x], x.shape, dims=x.dims, min=low, max=high)]


def _bound(ctx: NodeContext, index: int, what: str, missing: float) -> float:
    given = ctx.optional(index, what)
    return missing if given is None else given.scalar(f"its {what}")


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
    if axis % (len(x.dims) + 1) != 1:
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
        params += _dense_bias(ctx, 2, out, params[0], beta)
    return ctx.emit("Dense", [x], (out, 1, 1), dims=(out,), params=params)


def _dense_bias(ctx: NodeContext, index: int, out: int, stem: str, beta: float = 1.0) -> list[str]:
    """The bias parameter, if it is one."""
    shape = ctx.known(index, "bias").array("its bias").shape
    elements = math.prod(shape)
    if elements not in (1, out) or (elements == out > 1 and shape[-1] != out):
        raise Unsupported(f"its bias has the shape {shape}, ({out},) is needed")
    if artificial_zero(ctx.known(index, "bias")):
        return []
    onnx_shape = shape if elements == out else (out,)
    return [ctx.param(index, "bias", Transform(onnx_shape, (out,), factor=beta), stem=stem)]


@converter("Add", "Sum", "Sub", "Mul", "Div")
def arithmetic(ctx: NodeContext) -> list[Tensor]:
    tensors = [value for value in ctx.inputs if isinstance(value, Tensor)]
    if len(tensors) < len(ctx.inputs):
        if len(ctx.inputs) != 2:
            raise Unsupported("only two operands can be mixed with constants")
        return [_with_constant(ctx)]
    if len(tensors) == 1:
        return [ctx.alias(tensors[0])]
    if ctx.node.op_type not in ("Add", "Sum"):
        raise Unsupported("two activations can only be added")
    builder = ctx.builder
    if len({t.shape for t in tensors}) > 1 or len({t.dims for t in tensors}) > 1:
        flat = len(tensors[0].dims) == 1
        tensors = [builder.as_features(t) if flat else builder.as_map(t) for t in tensors]
    if len({t.shape for t in tensors}) > 1:
        raise Unsupported(f"its operands have different shapes: {[t.shape for t in tensors]}")
    return [ctx.emit("Add", tensors, tensors[0].shape, dims=tensors[0].dims)]


def _with_constant(ctx: NodeContext) -> Tensor:
    """x op constant, per channel: a bias, or an Affine node."""
    index = 0 if isinstance(ctx.inputs[0], Known) else 1
    op = ctx.node.op_type
    x = ctx.tensor(1 - index)
    x = ctx.builder.as_features(x) if len(x.dims) == 1 else ctx.builder.as_map(x)
    if op == "Add" and (dense := _open_dense(ctx, x)) is not None:
        dense.params += _dense_bias(ctx, index, x.shape[0], dense.params[0])
        return ctx.alias(x)
    if index == 0 and op in ("Sub", "Div"):
        raise Unsupported("the constant must stand on the right")
    constant = ctx.known(index, "constant")
    transform = _per_channel(constant, x, op)
    scalar = constant.at[0].size == 1 and x.shape[0] > 1
    frozen = scalar or constant.origin in ("constant", "computed")
    scale = op in ("Mul", "Div")
    param = ctx.param(index, "scale" if scale else "shift", transform, frozen=frozen)
    return ctx.emit(
        "Affine", [x], x.shape, dims=x.dims, params=[param], has_scale=scale, has_shift=not scale
    )


def _open_dense(ctx: NodeContext, x: Tensor) -> GraphNode | None:
    """The Dense node without a bias whose only reader this node is."""
    last = next((n for n in reversed(ctx.builder.nodes) if n.output == x.name), None)
    if last is None or last.op != "Dense" or len(last.params) != 1:
        return None
    return last if ctx.builder.uses[x.onnx_name] == 1 else None


def _per_channel(constant: Known, x: Tensor, op: str) -> Transform:
    shape = constant.array("its constant").shape
    c = x.shape[0]
    target = (1, *x.dims)
    aligned = (1,) * (len(target) - len(shape)) + shape
    if math.prod(shape) == 1:
        onnx_shape = (c,) + (1,) * (len(x.dims) - 1)
    elif len(aligned) == len(target) and aligned == (1, c) + (1,) * (len(x.dims) - 1):
        onnx_shape = shape
    else:
        raise Unsupported(f"its constant has the shape {shape}; one number per channel is needed")
    if op == "Div" and not np.all(constant.at[0]):
        raise Unsupported("it divides by zero")
    factor = -1.0 if op == "Sub" else 1.0
    return Transform(onnx_shape, (c,), factor=factor, power=-1 if op == "Div" else 1)
