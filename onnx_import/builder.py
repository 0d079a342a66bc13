"""Collects the native graph while ONNX nodes are converted one by one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import onnx

from onnx_import.attributes import Attributes
from onnx_import.check import node_label
from onnx_import.errors import Unsupported
from onnx_import.imported import Slot, Transform
from onnx_import.limits import Budget
from onnx_import.text import Attribute, GraphNode
from onnx_import.untie import Params, Request
from onnx_import.values import Known, Padding, Tensor, Value

Shape = tuple[int, int, int]


class Builder:
    """The native graph under construction.

    Attributes:
        values: what each ONNX name stands for so far.
        uses: how often each ONNX name is read, graph outputs included.
        fixed_batch: the batch size that the file insists on, if any.
        padded: by native name, the maps that are another one with a border of one value.
    """

    def __init__(self, graph: onnx.GraphProto, budget: Budget, fixed_batch: int | None) -> None:
        self.values: dict[str, Value] = {}
        self.nodes: list[GraphNode] = []
        self.budget = budget
        self.params = Params(budget)
        self.fixed_batch = fixed_batch
        self.padded: dict[str, Padding] = {}
        self.uses = Counter(name for node in graph.node for name in node.input)
        outputs = [o.name for o in graph.output]
        self.uses.update(outputs)
        self._fixed_names = {*outputs, *(i.name for i in graph.input)}
        self._value_names: set[str] = set()
        self._node_names: set[str] = set()
        self._flattened: dict[str, Tensor] = {}

    def emit(
        self,
        op: str,
        name: str,
        inputs: list[Tensor],
        shape: Shape,
        output: str,
        *,
        dims: tuple[int, ...] | None = None,
        params: list[str] | None = None,
        attributes: dict[str, Attribute] | None = None,
    ) -> Tensor:
        """Appends a native node; returns its value under the ONNX name `output`."""
        self.budget.check_shape(shape, f"the output of node {name!r}")
        native = _unique(output, self._value_names)
        node_name = _unique(name, self._node_names)
        operands = [tensor.name for tensor in inputs]
        self.nodes.append(
            GraphNode(op, node_name, operands, params or [], native, attributes or {})
        )
        return Tensor(native, shape, shape if dims is None else dims, output)

    def input(self, name: str, dims: tuple[int, ...]) -> Tensor:
        """Defines the network's input; (N, F) becomes F channels of one pixel."""
        self._value_names.add(name)
        c, h, w = dims if len(dims) == 3 else (dims[0], 1, 1)
        return Tensor(name, (c, h, w), dims, name)

    def as_map(self, tensor: Tensor) -> Tensor:
        """The tensor as (N, C, H, W). Errors: `Unsupported`."""
        if tensor.is_map():
            return tensor
        if len(tensor.dims) == 3 and tensor.dims[1:] == (1, 1):
            flat = self.as_features(
                Tensor(tensor.name, tensor.shape, tensor.dims[:1], tensor.onnx_name)
            )
            return Tensor(flat.name, flat.shape, tensor.dims, tensor.onnx_name)
        raise Unsupported(
            f"its input {tensor.onnx_name!r} is reshaped to {['N', *tensor.dims]}, "
            "which is not a set of images with the same channels"
        )

    def as_features(self, tensor: Tensor) -> Tensor:
        """The tensor as (N, F). Errors: `Unsupported`."""
        if tensor.is_features():
            return tensor
        if len(tensor.dims) != 1:
            raise Unsupported(
                f"its input {tensor.onnx_name!r} has the shape {['N', *tensor.dims]}; "
                "(N, features) is needed"
            )
        if tensor.name not in self._flattened:
            name = f"{tensor.onnx_name}.flatten" if tensor.onnx_name == tensor.name else ""
            shape = (tensor.elements(), 1, 1)
            output = name or tensor.onnx_name
            self._flattened[tensor.name] = self.emit(
                "Flatten", output, [tensor], shape, output, dims=shape[:1]
            )
        return self._flattened[tensor.name]

    def finish_output(self, name: str) -> None:
        """Makes sure that a native value has the name of the ONNX output."""
        value = self.values[name]
        if not isinstance(value, Tensor):
            raise Unsupported("it does not depend on the input")
        whole = self.as_features(value) if len(value.dims) == 1 else self.as_map(value)
        if whole.name == name:
            return
        if whole.name in self._fixed_names:
            self.emit("Identity", name, [whole], whole.shape, name)
        else:
            self._rename(whole.name, name)

    def _rename(self, old: str, new: str) -> None:
        for node in self.nodes:
            node.inputs = [new if name == old else name for name in node.inputs]
            node.output = new if node.output == old else node.output
        for seen, value in self.values.items():
            if isinstance(value, Tensor) and value.name == old:
                self.values[seen] = replace(value, name=new)


class NodeContext:
    """One ONNX node, its inputs and attributes, and the builder to convert it into."""

    def __init__(self, builder: Builder, node: onnx.NodeProto, inputs: list[Value | None]) -> None:
        self.builder = builder
        self.node = node
        self.inputs = inputs
        self.attributes = Attributes(node)
        self.name = node_label(node)
        self.output = str(node.output[0])

    def tensor(self, index: int = 0) -> Tensor:
        """An input that must be an activation."""
        value = self.inputs[index] if index < len(self.inputs) else None
        if not isinstance(value, Tensor):
            raise Unsupported(f"its input {index} must depend on the network's input")
        return value

    def known(self, index: int, what: str) -> Known:
        """An input that must be constant."""
        value = self.optional(index, what)
        if value is None:
            raise Unsupported(f"it has no {what}")
        return value

    def optional(self, index: int, what: str) -> Known | None:
        value = self.inputs[index] if index < len(self.inputs) else None
        if value is not None and not isinstance(value, Known):
            raise Unsupported(f"its {what} is computed from the network's input")
        return value

    def param(
        self,
        index: int,
        role: str,
        transform: Transform,
        *,
        stem: str = "",
        statistics: bool = False,
        frozen: bool = False,
    ) -> str:
        """Makes input `index` a native parameter; returns its name."""
        value = self.known(index, role)
        array = value.array(f"its {role}")
        if array.dtype != np.float32:
            raise Unsupported(f"its {role} has type {array.dtype}; weights must be float32")
        return self.builder.params.add(
            Request(
                value,
                self.node.input[index],
                role,
                transform,
                Slot(self.output, index),
                self.name,
                stem,
                statistics,
                frozen,
            )
        )

    def emit(
        self,
        op: str,
        inputs: list[Tensor],
        shape: Shape,
        *,
        dims: tuple[int, ...] | None = None,
        params: list[str] | None = None,
        **attributes: Attribute,
    ) -> Tensor:
        """Appends the native node that this ONNX node becomes."""
        return self.builder.emit(
            op,
            self.name,
            inputs,
            shape,
            self.output,
            dims=dims,
            params=params,
            attributes=attributes,
        )

    def alias(self, tensor: Tensor, dims: tuple[int, ...] | None = None) -> Tensor:
        """The same native value under this node's output name, perhaps with other dims."""
        return Tensor(tensor.name, tensor.shape, dims or tensor.dims, self.output)


def _unique(name: str, taken: set[str]) -> str:
    """`name`, or `name_2` and so on where it is taken; recorded as taken."""
    unique, count = name, 2
    while unique in taken:
        unique, count = f"{name}_{count}", count + 1
    taken.add(unique)
    return unique
