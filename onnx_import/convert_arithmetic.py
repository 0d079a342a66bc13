"""Converters of arithmetic: activations with each other, and with constants per channel."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from onnx_import.builder import NodeContext
from onnx_import.convert_matrix import dense_bias
from onnx_import.convert_random import with_draw
from onnx_import.errors import Unsupported
from onnx_import.frozen import scaled
from onnx_import.imported import Transform
from onnx_import.layout import check_per_channel
from onnx_import.patterns import merged_product
from onnx_import.registry import converter
from onnx_import.text import GraphNode
from onnx_import.values import Draw, Known, Tensor, Value

#: The native op, and the function that makes of the second operand what it takes.
BINARY = {
    "Add": ("Add", ""),
    "Sum": ("Add", ""),
    "Mean": ("Add", ""),
    "Sub": ("Add", "Neg"),
    "Mul": ("Mul", ""),
    "Div": ("Mul", "Reciprocal"),
    "Max": ("Max", ""),
    "Min": ("Min", ""),
}


#: Those that take any number of operands.
MANY = ("Sum", "Mean", "Max", "Min")


@converter(*BINARY)
def arithmetic(ctx: NodeContext) -> Sequence[Value]:
    if len(ctx.inputs) != 2 and ctx.node.op_type not in MANY:
        raise Unsupported(f"it has {len(ctx.inputs)} operands; it takes 2")
    if any(isinstance(value, Draw) for value in ctx.inputs):
        return [with_draw(ctx)]
    tensors = [value for value in ctx.inputs if isinstance(value, Tensor)]
    if len(tensors) < len(ctx.inputs):
        if len(ctx.inputs) != 2:
            raise Unsupported("only two operands can be mixed with constants")
        return [_with_constant(ctx)]
    if len(tensors) == 1:
        return [ctx.alias(tensors[0])]
    op, function = BINARY[ctx.node.op_type]
    tensors = _aligned(ctx, tensors, op == "Mul")
    if function:
        tensors[1] = _applied(ctx, function, tensors[1])
    if op == "Mul":
        return [_product(ctx, tensors)]
    if ctx.node.op_type == "Mean":
        return [_mean(ctx, tensors)]
    return [ctx.like(tensors[0], op, tensors)]


def _aligned(ctx: NodeContext, tensors: list[Tensor], scales: bool) -> list[Tensor]:
    """All as maps or as features, of equal shapes or, if `scales`, one with a single pixel."""
    alike = len({(t.shape, t.dims, t.order) for t in tensors}) == 1
    if not alike and not (tensors[0].order and len({t.order for t in tensors}) == 1):
        flat = len(tensors[0].dims) == 1
        to_form = ctx.builder.as_features if flat else ctx.builder.as_map
        tensors = [to_form(t) for t in tensors]
    shapes = {t.shape for t in tensors}
    one_pixel = any(shape[1:] == (1, 1) for shape in shapes)
    if len(shapes) > 1 and not (scales and one_pixel and len({c for c, _, _ in shapes}) == 1):
        raise Unsupported(f"its operands have different shapes: {[t.shape for t in tensors]}")
    return tensors


def _applied(ctx: NodeContext, op: str, x: Tensor) -> Tensor:
    """A native function of an operand, ahead of the node itself."""
    name = f"{ctx.output}.{op.lower()}"
    return ctx.builder.emit(op, name, [x], x.shape, name, dims=x.dims, order=x.order)


def _mean(ctx: NodeContext, tensors: list[Tensor]) -> Tensor:
    name, first = f"{ctx.output}.sum", tensors[0]
    total = ctx.builder.emit(
        "Add", name, tensors, first.shape, name, dims=first.dims, order=first.order
    )
    return scaled(ctx, total, 1 / len(tensors))


def _product(ctx: NodeContext, tensors: list[Tensor]) -> Tensor:
    a, b = tensors
    larger = max(a, b, key=Tensor.elements)
    if (merged := merged_product(ctx.builder, a, b)) is not None:
        op, x, attributes = merged
        return ctx.like(x, op, more=attributes)
    return ctx.like(larger, "Mul", tensors)


def _with_constant(ctx: NodeContext) -> Tensor:
    """x op constant, per channel: a bias, or an Affine node."""
    index = 0 if isinstance(ctx.inputs[0], Known) else 1
    op = ctx.node.op_type
    x = ctx.builder.as_channels(ctx.tensor(1 - index))
    ctx.check_rank(index, x)
    if op in ("Max", "Min"):
        return _bounded(ctx, index, x)
    if op == "Mean":
        raise Unsupported("a mean with a constant is not supported")
    if op == "Add" and (product := _open_product(ctx, x)) is not None:
        product.params += dense_bias(ctx, index, x.shape[0], product.params[0])
        return ctx.alias(x)
    if index == 0 and op in ("Sub", "Div"):
        native, function = BINARY[op]
        x, op = _applied(ctx, function, x), native
    constant = ctx.known(index, "constant")
    transform = _per_channel(constant, x, op)
    scalar = constant.at[0].size == 1 and x.shape[0] > 1
    frozen = scalar or constant.origin in ("constant", "computed")
    scale = op in ("Mul", "Div")
    param = ctx.param(index, "scale" if scale else "shift", transform, frozen=frozen)
    return ctx.like(x, "Affine", params=[param], has_scale=scale, has_shift=not scale)


def _bounded(ctx: NodeContext, index: int, x: Tensor) -> Tensor:
    """The greater or the lesser of x and a number."""
    bound = ctx.known(index, "constant").scalar("its constant")
    end = "min" if ctx.node.op_type == "Max" else "max"
    return ctx.like(x, "Clip", more={end: bound})


def _open_product(ctx: NodeContext, x: Tensor) -> GraphNode | None:
    """The matrix product without a bias whose only reader this node is; its bias stands last."""
    last = ctx.builder.sole_maker(x)
    if last is None or last.op not in ("Dense", "Conv") or len(last.params) != 1:
        return None
    return last if x.channel_axis() == len(x.dims) - 1 else None


def _per_channel(constant: Known, x: Tensor, op: str) -> Transform:
    shape = constant.array("its constant").shape
    check_per_channel(shape, x, "constant")
    c = x.shape[0]
    if math.prod(shape) == 1:
        shape = tuple(c if axis == x.channel_axis() else 1 for axis in range(len(x.dims)))
    if op == "Div" and not np.all(constant.at[0]):
        raise Unsupported("it divides by zero")
    factor = -1.0 if op == "Sub" else 1.0
    return Transform(shape, (c,), factor=factor, power=-1 if op == "Div" else 1)
