"""Activations that files spell out as arithmetic, recognised as the function they are."""

from __future__ import annotations

import math
from dataclasses import replace

from onnx_import.builder import Builder
from onnx_import.text import Attribute, GraphNode
from onnx_import.values import Tensor

#: What a native node makes of x times the node's own value of x.
PRODUCTS = {"Sigmoid": "Silu", "HardSigmoid": "HardSwish", "Tanh": "Mish"}
Merged = tuple[str, Tensor, dict[str, Attribute]]


def merged_product(builder: Builder, a: Tensor, b: Tensor) -> Merged | None:
    """The native op of a * b, what it is applied to and its attributes, where b is a function of a.

    Nodes of the pattern that nothing else reads are taken out of the graph.
    """
    for x, gate in ((a, b), (b, a)):
        nodes = _gate(builder, gate)
        if not nodes or nodes[-1].inputs != [x.name]:
            continue
        for node in nodes:
            builder.remove(node)
        return PRODUCTS[nodes[0].op], x, {}
    return None


def _gate(builder: Builder, gate: Tensor) -> list[GraphNode]:
    """The nodes that make the factor of a known product, last first; none where it is not one."""
    last = builder.sole_maker(gate)
    if last is None or last.op not in PRODUCTS:
        return []
    if last.op == "Tanh":
        inner = builder.sole_maker(replace(gate, name=last.inputs[0], onnx_name=last.inputs[0]))
        return [last, inner] if inner is not None and inner.op == "Softplus" else []
    if last.op == "HardSigmoid":
        sixth = math.isclose(float(str(last.attributes["alpha"])), 1 / 6, rel_tol=1e-6)
        return [last] if sixth and last.attributes["beta"] == 0.5 else []
    return [last]
