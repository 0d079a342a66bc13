"""Which initializers the importer did not come to, because nodes before their readers failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx

from onnx_import.values import Known, Poison, Value


@dataclass(frozen=True)
class Unreached:
    """An initializer whose readers stand behind an operator that is not supported, or are it."""

    initializer: str
    op: str
    node: str


def unreached(
    graph: onnx.GraphProto, nodes: Sequence[onnx.NodeProto], values: dict[str, Value]
) -> list[Unreached]:
    """Those that only failed nodes read, perhaps through constants, in the file's order.

    Args:
        nodes: all that were tried, in order. values: what became of every name.
    """
    behind: dict[str, Poison] = {}
    for node in reversed(nodes):
        found = [behind[name] for name in node.output if name in behind]
        found += [v for v in map(values.get, node.output) if isinstance(v, Poison)]
        constants = [name for name in node.input if isinstance(values.get(name), Known)]
        if found:
            behind |= dict.fromkeys(constants, found[-1])
    return [
        Unreached(t.name, behind[t.name].op, behind[t.name].node)
        for t in graph.initializer
        if t.name in behind
    ]
