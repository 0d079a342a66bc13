"""Collects the native graph while ONNX nodes are converted one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import onnx

from onnx_import.attributes import Attributes
from onnx_import.check import node_label
from onnx_import.errors import Unsupported
from onnx_import.imported import Slot, Transform
from onnx_import.layout import transposition
from onnx_import.limits import Budget
from onnx_import.text import Attribute, GraphNode, unique_name
from onnx_import.untie import Params, Request
from onnx_import.values import Flat, Known, Padding, Tensor, Value
from onnx_import.view_budget import ViewBudget

Shape = tuple[int, int, int]


class Builder:
    """The native graph under construction.

    Attributes:
        values: what each ONNX name stands for so far.
        uses: how often each ONNX name is read, graph outputs included.
        fixed_batch: the batch size that the file insists on, if any.
        padded: by native name, the maps that are another one with a border of one value.
        output_dims: ONNX dimensions after the batch of the outputs finished so far.
        output_orders: of these, the native axes that stand there, as in `Tensor.order`.
        folded: nodes that became constants, by operator; folded_elements: what they hold.
    """

    def __init__(self, graph: onnx.GraphProto, budget: Budget, fixed_batch: int | None) -> None:
        self.values: dict[str, Value] = {}
        self._nodes: dict[str, GraphNode] = {}  # by the value that they make, in order
        self.budget = budget
        self.params = Params(budget)
        self.fixed_batch = fixed_batch
        self.padded: dict[str, Padding] = {}
        self.uses = Counter(name for node in graph.node for name in node.input)
        outputs = [o.name for o in graph.output]
        self.uses.update(outputs)
        self._fixed_names = {*outputs, *(i.name for i in graph.input)}
        self._value_names: dict[str, int] = {}
        self._node_names: dict[str, int] = {}
        self._renamed: dict[str, str] = {}
        self._views = ViewBudget()
        self._flattened: dict[str, Tensor] = {}
        self.output_dims: list[tuple[int, ...]] = []
        self.output_orders: list[tuple[int, ...]] = []
        self.folded: Counter[str] = Counter()
        self.folded_elements = 0

    def emit(
        self,
        op: str,
        name: str,
        inputs: list[Tensor],
        shape: Shape,
        output: str,
        *,
        dims: tuple[int, ...] | None = None,
        order: tuple[int, ...] = (),
        params: list[str] | None = None,
        attributes: dict[str, Attribute] | None = None,
    ) -> Tensor:
        """Appends a native node; returns its value under the ONNX name `output`."""
        self.budget.check_shape(shape, f"the output of node {name!r}")
        native = unique_name(output, self._value_names)
        self._views.add(op, native, [tensor.name for tensor in inputs], shape[0])
        node_name = unique_name(name, self._node_names)
        operands = [tensor.name for tensor in inputs]
        self._nodes[native] = GraphNode(
            op, node_name, operands, params or [], native, attributes or {}
        )
        seen = shape[: len(inputs[0].dims)] if dims is None else dims
        return Tensor(native, shape, seen, output, order)

    def input(self, tensor: Tensor) -> None:
        """Defines the network's input."""
        self._value_names[tensor.name] = 1
        self.values[tensor.onnx_name] = tensor

    def as_map(self, tensor: Tensor) -> Tensor:
        """The tensor as (N, C, H, W) or (N, C, L). Errors: `Unsupported`."""
        if tensor.is_map():
            return tensor
        if tensor.order:
            raise Unsupported(f"its input {tensor.onnx_name!r} is {transposition(tensor)}")
        if len(tensor.dims) == 3 and tensor.dims[1:] == (1, 1):
            flat = self.as_features(replace(tensor, dims=tensor.dims[:1]))
            return replace(flat, dims=tensor.dims, onnx_name=tensor.onnx_name)
        raise Unsupported(
            f"its input {tensor.onnx_name!r} is reshaped to {['N', *tensor.dims]}, "
            "which is not a set of images with the same channels"
        )

    def as_channels(self, tensor: Tensor) -> Tensor:
        """The tensor as a map, transposed or not, or as features. Errors: `Unsupported`."""
        if tensor.order:
            return tensor
        return self.as_features(tensor) if len(tensor.dims) == 1 else self.as_map(tensor)

    def as_features(self, tensor: Tensor) -> Tensor:
        """The tensor as (N, F). Errors: `Unsupported`."""
        if tensor.is_features():
            return tensor
        if tensor.moves_elements():
            raise Unsupported(f"its input {tensor.onnx_name!r} is {transposition(tensor)}")
        if len(tensor.dims) != 1:
            raise Unsupported(
                f"its input {tensor.onnx_name!r} has the shape {['N', *tensor.dims]}; "
                "(N, features) is needed"
            )
        return self.flattened(tensor)

    def flattened(self, tensor: Tensor) -> Tensor:
        """The native value as (N, F), its elements in the native order."""
        if tensor.name not in self._flattened:
            name = f"{tensor.onnx_name}.flatten" if tensor.onnx_name == tensor.name else ""
            shape = (tensor.elements(), 1, 1)
            output = name or tensor.onnx_name
            self._flattened[tensor.name] = self.emit(
                "Flatten", output, [tensor], shape, output, dims=shape[:1]
            )
        return self._flattened[tensor.name]

    def sole_maker(self, tensor: Tensor) -> GraphNode | None:
        """The native node that made the tensor, if only one ONNX node reads its result."""
        if self.uses[tensor.onnx_name] != 1 or self.uses[tensor.name] > 1:
            return None
        return self._nodes.get(tensor.name)

    def remove(self, node: GraphNode) -> None:
        """Takes out a node whose value nothing reads."""
        del self._nodes[node.output]

    def finish_output(self, name: str) -> None:
        """Makes sure that a native value has the name of the ONNX output."""
        value = self.values[name]
        if isinstance(value, Flat):
            raise Unsupported(f"it is flattened while it is {transposition(value.tensor)}")
        if not isinstance(value, Tensor):
            raise Unsupported("it does not depend on the input")
        whole = value
        if len(value.dims) == 1:
            whole = self.as_features(value)
        elif value.dims[1:] == (1, 1) and not value.order:
            whole = self.as_map(value)
        self.output_dims.append(value.dims)
        self.output_orders.append(value.order if value.moves_elements() else ())
        if whole.name == name:
            return
        if whole.name in self._fixed_names or whole.name in self._renamed:
            self.emit("Identity", name, [whole], whole.shape, name)
        else:
            self._renamed[whole.name] = name

    def nodes(self) -> list[GraphNode]:
        """The nodes in order, outputs under their ONNX names."""
        new = self._renamed
        return [
            replace(n, inputs=[new.get(i, i) for i in n.inputs], output=new.get(n.output, n.output))
            for n in self._nodes.values()
        ]


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
        if isinstance(value, Flat):
            raise Unsupported(
                f"its input is flattened while it is {transposition(value.tensor)}; of such "
                "features only Gemm and MatMul can read"
            )
        if not isinstance(value, Tensor):
            raise Unsupported(f"its input {index} must depend on the network's input")
        return value

    def known(self, index: int, what: str) -> Known:
        """An input that must be constant."""
        value = self.optional(index, what)
        if value is None:
            raise Unsupported(f"it has no {what}")
        return value

    def check_rank(self, index: int, x: Tensor) -> None:
        """Errors: `Unsupported` if constant `index` has more dimensions than the activation x."""
        shape = self.known(index, "constant").at[0].shape
        if len(shape) > len(x.dims) + 1:
            raise Unsupported(
                f"its constant {shape} has more dimensions than its operand {['N', *x.dims]}"
            )

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
        order: tuple[int, ...] = (),
        params: list[str] | None = None,
        more: Mapping[str, Attribute] | None = None,
        **attributes: Attribute,
    ) -> Tensor:
        """Appends the native node that this ONNX node becomes; `more` are attributes, too."""
        return self.builder.emit(
            op,
            self.name,
            inputs,
            shape,
            self.output,
            dims=dims,
            order=order,
            params=params,
            attributes=attributes | dict(more or {}),
        )

    def like(
        self,
        x: Tensor,
        op: str,
        inputs: list[Tensor] | None = None,
        *,
        params: list[str] | None = None,
        more: Mapping[str, Attribute] | None = None,
        **attributes: Attribute,
    ) -> Tensor:
        """`emit` of a node whose output has the shape and the order of `x`, its one input."""
        return self.emit(
            op,
            inputs or [x],
            x.shape,
            dims=x.dims,
            order=x.order,
            params=params,
            more=more,
            **attributes,
        )

    def alias(self, tensor: Tensor, dims: tuple[int, ...] | None = None) -> Tensor:
        """The same native value under this node's output name, perhaps with other dims."""
        kept = () if dims else tensor.order
        return Tensor(tensor.name, tensor.shape, dims or tensor.dims, self.output, kept)
