"""Takes the parameters out of a template's graph, and with them all that only computed them."""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from onnx_import.check import live_nodes
from onnx_import.imported import ParamBinding
from onnx_import.values import SOURCES


def placeholder(index: int) -> str:
    """What the slots of binding `index` read in a detached graph; no name of a file has a NUL."""
    return f"\0{index}"


def detach(graph: onnx.GraphProto, bindings: Sequence[ParamBinding]) -> None:
    """Puts `graph` into inference form, in place, its parameters replaced by placeholders."""
    _to_inference_form(graph)
    nodes = {node.output[0]: node for node in graph.node if node.output}
    for index, binding in enumerate(bindings):
        for slot in binding.slots:
            nodes[slot.node_output].input[slot.index] = placeholder(index)
    _remove_unused(graph)


def _to_inference_form(graph: onnx.GraphProto) -> None:
    """BatchNormalization with one output, masks that do nothing: what runtimes execute."""
    _without_masks(graph)
    for node in graph.node:
        if node.op_type == "BatchNormalization":
            del node.output[1:]
            kept = [a for a in node.attribute if a.name != "training_mode"]
            del node.attribute[:]
            node.attribute.extend(kept)
        elif node.op_type == "Dropout":
            del node.output[1:]
            del node.input[2:]


def _without_masks(graph: onnx.GraphProto) -> None:
    """Stochastic depth that does nothing: what a random mask multiplies is kept as it is."""
    fixed = {tensor.name for tensor in graph.initializer}
    random: set[str] = set()
    for node in graph.node:
        drawn = random.intersection(node.input)
        if node.op_type == "Constant":
            fixed.update(node.output)
        elif node.op_type == "Mul" and drawn and (kept := set(node.input) - drawn - fixed):
            node.op_type = "Identity"
            node.input[:] = kept
        elif drawn or node.op_type in SOURCES:
            random.update(node.output)


def _remove_unused(graph: onnx.GraphProto) -> None:
    """Drops the nodes and initializers that no output needs."""
    live = live_nodes(graph)
    needed = {o.name for o in graph.output}.union(*(node.input for node in live))
    kept_nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in live]
    del graph.node[:]
    graph.node.extend(kept_nodes)
    kept = [t for t in graph.initializer if t.name in needed]
    copies = [onnx.TensorProto.FromString(t.SerializeToString()) for t in kept]
    del graph.initializer[:]
    graph.initializer.extend(copies)
