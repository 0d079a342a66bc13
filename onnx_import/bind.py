"""Tells a model's activations from its weights, and makes it one network with one input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx

from onnx_import.errors import ModelError

#: Operators whose every input may be an activation; of all others only input 0 is one.
_OPERANDS = frozenset(("Add", "Sum", "Sub", "Mul", "Div", "Concat", "Max", "Min", "Mean", "Pow"))


@dataclass(frozen=True)
class Bound:
    """A model of one input, and what that input is made of.

    Attributes:
        model: with the other inputs as initializers.
        parts: the inputs that make up its one input, side by side on axis 1.
    """

    model: onnx.ModelProto
    parts: tuple[str, ...]

    def images(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        """The one input (N, C, ...)."""
        arrays = [np.asarray(feeds[name]) for name in self.parts]
        return arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=1)


def bind(model: onnx.ModelProto, feeds: Mapping[str, np.ndarray]) -> Bound:
    """Gives values to all inputs that are no activations: weights by their role, shapes, bounds.

    Several activations that differ in channels only become one input, split at once.

    Errors: `ModelError` where no input is a batch of float32 features, lines or maps, or where
    the file asks for training behaviour.
    """
    label = f"model {model.graph.name or 'unnamed'!r}"
    _refuse_training(label, model, feeds)
    parts = activations(model.graph, feeds)
    if not parts:
        raise ModelError(
            f"cannot run {label} as a network: none of its inputs is a batch of float32 features "
            "(N, F), lines (N, C, L) or maps (N, C, H, W)"
        )
    bound = onnx.ModelProto()
    bound.CopyFrom(model)
    graph = bound.graph
    del graph.input[:]
    for name, array in feeds.items():
        if name not in parts:
            graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(array), name))
    _declare_input(bound, parts, feeds)
    return Bound(bound, tuple(parts))


def activations(graph: onnx.GraphProto, feeds: Mapping[str, np.ndarray]) -> list[str]:
    """The inputs that are a batch of activations, all alike but for their channels."""
    read_as_one: set[str] = set()
    for node in graph.node:
        slots = len(node.input) if node.op_type in _OPERANDS else 1
        read_as_one.update(node.input[:slots])
    fitting = [
        name
        for name, array in feeds.items()
        if name in read_as_one
        and array.dtype == np.float32
        and 2 <= array.ndim <= 4
        and 0 not in array.shape
    ]
    if not fitting:
        return []
    # A smaller operand is a constant that is broadcast.
    first = max(fitting, key=lambda name: (feeds[name].ndim, feeds[name].size))
    return [name for name in fitting if _but_channels(feeds[name]) == _but_channels(feeds[first])]


def _but_channels(array: np.ndarray) -> tuple[int, ...]:
    return (*array.shape[:1], *array.shape[2:])


def _refuse_training(label: str, model: onnx.ModelProto, feeds: Mapping[str, np.ndarray]) -> None:
    values = {t.name: t for t in model.graph.initializer}
    for node in model.graph.node:
        training = any(a.name == "training_mode" and a.i for a in node.attribute)
        if node.op_type == "Dropout" and len(node.input) > 2:
            given = feeds.get(node.input[2])
            stored = values.get(node.input[2])
            if given is None and stored is not None:
                given = onnx.numpy_helper.to_array(stored)
            training = given is None or bool(np.any(given))
        if training:
            raise ModelError(f"cannot run {label} as a network: it is in training mode")


def _declare_input(
    model: onnx.ModelProto, parts: list[str], feeds: Mapping[str, np.ndarray]
) -> None:
    """Adds the one input; the names of several parts become its pieces."""
    graph, shape = model.graph, list(feeds[parts[0]].shape)
    name = parts[0]
    if len(parts) > 1:
        name = "+".join(parts)
        channels = [feeds[part].shape[1] for part in parts]
        shape[1] = sum(channels)
        graph.node.insert(0, _split(model, name, parts, channels))
    graph.input.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))


def _split(
    model: onnx.ModelProto, name: str, parts: list[str], channels: list[int]
) -> onnx.NodeProto:
    version = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=1)
    if version < 13:
        return onnx.helper.make_node("Split", [name], parts, axis=1, split=channels)
    sizes = f"{name}:channels"
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(channels), sizes))
    return onnx.helper.make_node("Split", [name, sizes], parts, axis=1)
