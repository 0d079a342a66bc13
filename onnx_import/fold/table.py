"""The table of evaluators, and how one of them is called under a budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import onnx

from onnx_import.attributes import Attributes
from onnx_import.check import node_label
from onnx_import.errors import ModelError, Unsupported, one_line
from onnx_import.limits import Budget
from onnx_import.values import Known, Origin

_MOST_INTS = 1024
Inputs = list[Known | None]
Array = np.ndarray
#: (call, input arrays or None) to one array or one per output.
Evaluator = Callable[..., "Array | list[Array]"]


@dataclass(frozen=True)
class Call:
    """One evaluation of a node.

    Attributes:
        label: the node for messages.
        training: whether the file's training_mode counts; imports have a switch of their own.
    """

    node: onnx.NodeProto
    attributes: Attributes
    budget: Budget
    label: str
    training: bool = False

    def make(self, shape: Sequence[int], dtype: np.dtype[Any] | type[Any]) -> tuple[int, ...]:
        """Pays for an array before it is made; returns its shape as plain integers."""
        elements = self.budget.check_shape(shape, self.label)
        self.budget.spend(elements * np.dtype(dtype).itemsize, self.label)
        return tuple(int(d) for d in shape)

    def work(self, operations: float) -> None:
        """Pays for arithmetic before it is done."""
        self.budget.work(operations, self.label)

    def axes(self, array: Array | None, rank: int) -> tuple[int, ...] | None:
        """The axes input, counted from 0; None where there is none."""
        return None if array is None else tuple(axis_of(a, rank) for a in ints(array))


@dataclass(frozen=True)
class Folder:
    """origin: of the results; `view` for the first input in another shape."""

    evaluate: Evaluator
    origin: Origin | Literal["view"]


FOLDERS: dict[str, Folder] = {}


def folder(
    *ops: str, origin: Origin | Literal["view"] = "computed"
) -> Callable[[Evaluator], Evaluator]:
    """Registers an evaluator for the named ONNX operators."""

    def register(evaluate: Evaluator) -> Evaluator:
        FOLDERS.update(dict.fromkeys(ops, Folder(evaluate, origin)))
        return evaluate

    return register


def fold(
    node: onnx.NodeProto, inputs: Inputs, budget: Budget, *, training: bool = False
) -> list[Known]:
    """The outputs of a node whose inputs are all constant.

    Errors: `Unsupported`; `ModelError` where it would cost more than the budget.
    """
    entry = FOLDERS[node.op_type]
    call = Call(node, Attributes(node), budget, f"node {node_label(node)!r}", training)
    try:
        with np.errstate(all="ignore"):
            first = _results(entry, call, [None if k is None else k.at[0] for k in inputs])
            second = first
            if any(k is not None and k.at[0] is not k.at[1] for k in inputs):
                second = _results(entry, call, [None if k is None else k.at[1] for k in inputs])
    except ModelError:
        raise
    except (AttributeError, ValueError, IndexError, TypeError, ArithmeticError) as error:
        raise Unsupported(f"its constant value cannot be computed: {one_line(error)}") from error
    origin = _origin(entry, inputs, first)
    named = origin == "alias" and node.op_type != "Identity"
    source = inputs[0].source if named and inputs[0] is not None else ""
    return [_joined(a, b, origin, source) for a, b in zip(first, second, strict=True)]


def _origin(entry: Folder, inputs: Inputs, results: Sequence[Array]) -> Origin:
    source = inputs[0] if inputs else None
    unchanged = source is not None and results[0] is source.at[0]
    return _seen_as(source) if entry.origin == "view" or unchanged else entry.origin


def _results(entry: Folder, call: Call, arrays: Sequence[Array | None]) -> list[Array]:
    result = entry.evaluate(call, *arrays)
    results = result if isinstance(result, list) else [result]
    return [np.asarray(array) for array in results]


def _joined(first: Array, second: Array, origin: Origin, source: str) -> Known:
    # Shape arithmetic is small; a large fill may be a view whose comparison would cost memory.
    small = max(first.size, second.size) <= 2**16
    if first is second or (small and np.array_equal(first, second)):
        return Known((first, first), origin, source)
    return Known((first, second), origin, source)


def _seen_as(known: Known | None) -> Origin:
    """The origin of a constant that is `known` in another shape."""
    if known is None:
        return "computed"
    return "alias" if known.origin == "initializer" else known.origin


def ints(array: Array | None) -> list[int]:
    """The elements as plain integers; none without an array. Errors: `Unsupported`."""
    if array is None:
        return []
    if array.dtype.kind not in "iub" or array.size > _MOST_INTS:
        raise Unsupported(f"a few integers are needed, not {array.dtype} {array.shape}")
    return [int(i) for i in array.reshape(-1)]


def axis_of(axis: int, rank: int) -> int:
    """The axis counted from 0. Errors: `Unsupported`."""
    if not -rank <= axis < rank:
        raise Unsupported(f"axis {axis} is outside its {rank} dimensions")
    return axis % rank


def size_of(shape: Sequence[int]) -> int:
    """Elements of a shape, in exact integers."""
    return math.prod(int(d) for d in shape)
