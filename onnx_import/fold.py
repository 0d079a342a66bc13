"""Evaluates the constant parts of a graph: shape arithmetic, and weights computed from weights."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import onnx

from onnx_import.attributes import Attributes
from onnx_import.check import node_label
from onnx_import.errors import ModelError, Unsupported, one_line
from onnx_import.limits import Budget
from onnx_import.read import tensor_array
from onnx_import.reshapes import ints, new_shape
from onnx_import.values import BATCH_POINTS, Known, Origin, Tensor, at_both

Inputs = list[Known | None]
Folder = Callable[[onnx.NodeProto, Attributes, Inputs, Budget], Known]

FOLDERS: dict[str, Folder] = {}


def _folder(*ops: str) -> Callable[[Folder], Folder]:
    def register(function: Folder) -> Folder:
        FOLDERS.update(dict.fromkeys(ops, function))
        return function

    return register


def fold(node: onnx.NodeProto, inputs: Inputs, budget: Budget) -> Known:
    """The value of a node whose inputs are all constant; one output only.

    Errors: `Unsupported`; `ModelError` where it would cost more than the budget.
    """
    try:
        with np.errstate(all="ignore"):
            return FOLDERS[node.op_type](node, Attributes(node), inputs, budget)
    except ModelError:
        raise
    except (AttributeError, ValueError, IndexError, TypeError, ArithmeticError) as error:
        raise Unsupported(f"its constant value cannot be computed: {one_line(error)}") from error


def shape_of(node: onnx.NodeProto, value: Known | Tensor) -> Known:
    """Shape or Size of a value, at both batch points."""
    attributes = Attributes(node)

    def result(shape: tuple[int, ...]) -> np.ndarray:
        if node.op_type == "Size":
            return np.array(math.prod(shape), dtype=np.int64)
        end = attributes.integer("end", len(shape))
        return np.array(shape[attributes.integer("start", 0) : end], dtype=np.int64)

    if isinstance(value, Known):
        return at_both(lambda a: result(a.shape), [value])
    first, second = (result((b, *value.dims)) for b in BATCH_POINTS)
    return Known.same(first) if np.array_equal(first, second) else Known((first, second))


def _seen_as(known: Known | None) -> Origin:
    """The origin of a constant that is `known` in another shape."""
    if known is None:
        return "computed"
    return "alias" if known.origin == "initializer" else known.origin


@_folder("Constant")
def _constant(node: onnx.NodeProto, attributes: Attributes, _: Inputs, budget: Budget) -> Known:
    tensor = attributes.tensor("value")
    if tensor is not None:
        return Known.same(tensor_array(tensor), "constant")
    for name, dtype in (("value_int", np.int64), ("value_float", np.float32)):
        if name in attributes:
            number = (
                attributes.integer(name, 0) if dtype is np.int64 else attributes.real(name, 0.0)
            )
            return Known.same(np.array(number, dtype=dtype), "constant")
    if "value_ints" in attributes:
        return Known.same(np.array(attributes.integers("value_ints"), dtype=np.int64), "constant")
    if "value_floats" in attributes:
        return Known.same(np.array(attributes.reals("value_floats"), np.float32), "constant")
    raise Unsupported("only numeric dense constants are supported")


@_folder("ConstantOfShape")
def _filled(node: onnx.NodeProto, attributes: Attributes, inputs: Inputs, budget: Budget) -> Known:
    tensor = attributes.tensor("value")
    value = np.zeros(1, np.float32) if tensor is None else tensor_array(tensor)

    def evaluate(shape: np.ndarray) -> np.ndarray:
        budget.check_shape(shape.tolist(), f"node {node_label(node)!r}")
        return np.broadcast_to(value.reshape(()), tuple(int(d) for d in shape))

    return at_both(evaluate, inputs, "fresh")


@_folder("Identity", "Dropout")
def _same(node: onnx.NodeProto, attributes: Attributes, inputs: Inputs, budget: Budget) -> Known:
    first = _required(inputs, 1)[0]
    return Known(first.at, _seen_as(first))


@_folder("Cast", "CastLike")
def _cast(node: onnx.NodeProto, attributes: Attributes, inputs: Inputs, budget: Budget) -> Known:
    if node.op_type == "Cast":
        kind = attributes.integer("to", onnx.TensorProto.FLOAT)
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
    else:
        dtype = _required(inputs, 2)[1].at[0].dtype
    first = _required(inputs, 1)[0]
    if first.at[0].dtype == dtype:
        return Known(first.at, _seen_as(first))
    budget.spend(first.at[0].size, f"node {node_label(node)!r}")
    return at_both(lambda a: a.astype(dtype), [first])


@_folder("Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose", "Expand")
def _reshaped(
    node: onnx.NodeProto, attributes: Attributes, inputs: Inputs, budget: Budget
) -> Known:
    label = f"node {node_label(node)!r}"

    def evaluate(a: np.ndarray, argument: np.ndarray | None = None) -> np.ndarray:
        if node.op_type == "Transpose":
            return a.transpose(attributes.integers("perm"))
        if node.op_type == "Expand":
            shape = np.broadcast_shapes(a.shape, ints(argument))
            budget.check_shape(shape, label)
            return np.broadcast_to(a, shape)
        shape = new_shape(node.op_type, attributes, a.shape, argument)
        if not a.flags.c_contiguous:
            budget.spend(a.size, label)
        return a.reshape(shape)

    origin = "computed" if node.op_type == "Expand" else _seen_as(inputs[0])
    return at_both(evaluate, inputs, origin)


@_folder("Concat", "Gather", "Slice", "Range", "Where", "ReduceProd")
def _assembled(
    node: onnx.NodeProto, attributes: Attributes, inputs: Inputs, budget: Budget
) -> Known:
    label = f"node {node_label(node)!r}"
    evaluate, size = _assembler(node.op_type, attributes)

    def checked(*arrays: np.ndarray) -> np.ndarray:
        budget.spend(int(size(*arrays)), label)
        return evaluate(*arrays)

    return at_both(checked, inputs)


def _assembler(
    op: str, attributes: Attributes
) -> tuple[Callable[..., np.ndarray], Callable[..., int]]:
    """What an op computes, and how many elements that takes."""
    axis = attributes.integer("axis", 0)

    def total(*arrays: np.ndarray) -> int:
        return sum(a.size for a in arrays if a is not None)

    if op == "Concat":
        return (lambda *a: np.concatenate(a, axis)), total
    if op == "Gather":
        return (
            lambda a, i: np.asarray(np.take(a, i, axis)),
            lambda a, i: a.size // max(a.shape[axis], 1) * i.size,
        )
    if op == "Slice":
        return _slice, total
    if op == "Range":
        return (lambda a, b, s: np.arange(a, b, s, dtype=a.dtype)), (
            lambda a, b, s: max(0, math.ceil((float(b) - float(a)) / float(s)))
        )
    if op == "Where":
        return (
            lambda c, a, b: np.asarray(np.where(c, a, b)),
            lambda *a: math.prod(np.broadcast_shapes(*(i.shape for i in a))),
        )
    return _reduce_prod(attributes), total


def _slice(
    a: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    axes: np.ndarray | None = None,
    steps: np.ndarray | None = None,
) -> np.ndarray:
    where = range(len(starts)) if axes is None else [int(i) for i in axes]
    by = [1] * len(starts) if steps is None else [int(i) for i in steps]
    cut = [slice(None)] * a.ndim
    for axis, start, end, step in zip(where, ints(starts), ints(ends), by, strict=True):
        last = end if step > 0 or end >= -a.shape[axis] else None
        cut[axis] = slice(start, last, step)
    return a[tuple(cut)]


def _reduce_prod(attributes: Attributes) -> Callable[..., np.ndarray]:
    def evaluate(a: np.ndarray, axes: np.ndarray | None = None) -> np.ndarray:
        over = None if axes is None else tuple(ints(axes))
        return np.asarray(a.prod(axis=over, keepdims=bool(attributes.integer("keepdims", 1))))

    return evaluate


def _divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """ONNX divides integers towards zero."""
    if a.dtype.kind not in "iu":
        return np.asarray(a / b)
    if not b.all():
        raise ZeroDivisionError("division by zero")
    return np.asarray(np.sign(a) * np.sign(b) * (abs(a) // abs(b)))


_ELEMENTWISE: dict[str, Callable[..., np.ndarray]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": _divide,
    "Pow": lambda a, b: np.power(a, b).astype(a.dtype),
    "Min": lambda *a: np.minimum.reduce(np.broadcast_arrays(*a)),
    "Max": lambda *a: np.maximum.reduce(np.broadcast_arrays(*a)),
    "Equal": np.equal,
    "Neg": np.negative,
    "Sqrt": np.sqrt,
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Abs": np.abs,
    "Reciprocal": np.reciprocal,
    "Sign": np.sign,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "And": np.logical_and,
    "Or": np.logical_or,
    "Not": np.logical_not,
}


@_folder(*_ELEMENTWISE)
def _elementwise(
    node: onnx.NodeProto, attributes: Attributes, inputs: Inputs, budget: Budget
) -> Known:
    def evaluate(*arrays: np.ndarray) -> np.ndarray:
        shape = np.broadcast_shapes(*(a.shape for a in arrays))
        budget.spend(budget.check_shape(shape, node_label(node)), f"node {node_label(node)!r}")
        return np.asarray(_ELEMENTWISE[node.op_type](*arrays))

    return at_both(evaluate, list(_required(inputs, 1)))


def _required(inputs: Inputs, count: int) -> list[Known]:
    present = [k for k in inputs if k is not None]
    if len(present) < count or len(present) < len(inputs):
        raise Unsupported("a required input is missing")
    return present
