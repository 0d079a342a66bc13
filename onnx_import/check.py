"""Refuses graphs that are not what they must be, and puts the nodes in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

import onnx

from onnx_import.errors import Issue, ModelError, unsupported_error
from onnx_import.limits import Limits

OLDEST_OPSET = 6
#: The opset that the importer works in; later ones change none of the operators it knows.
OPSET = 21
NEWEST_OPSET = 28
_GRAPHS = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)


def node_label(node: onnx.NodeProto) -> str:
    """What to call a node in a message: its name, or else its first output."""
    return str(node.name or (node.output[0] if node.output else "?"))


def check_model(label: str, model: onnx.ModelProto, limits: Limits) -> int:
    """Checks opset, size and control flow; returns the opset version.

    Errors: `ModelError`.
    """
    versions = {o.domain: o.version for o in model.opset_import}
    version = versions.get("", versions.get("ai.onnx"))
    if version is None:
        raise ModelError(f"cannot import {label}: it declares no version of the ONNX operator set")
    if not OLDEST_OPSET <= version <= NEWEST_OPSET:
        raise ModelError(
            f"cannot import {label}: opset {version} is outside {OLDEST_OPSET} to {NEWEST_OPSET}; "
            f"export with opset_version={OPSET}"
        )
    if len(model.graph.node) > limits.nodes:
        raise ModelError(
            f"cannot import {label}: {len(model.graph.node)} nodes, at most {limits.nodes} are "
            "allowed (Limits.nodes)"
        )
    _refuse_control_flow(label, model)
    return int(version)


def check_names(label: str, model: onnx.ModelProto) -> None:
    """Names are text: protobuf hands out as bytes what is not UTF-8."""
    graph = model.graph
    nodes = [*graph.node, *(node for function in model.functions for node in function.node)]
    names = [name for n in nodes for name in (n.name, n.op_type, n.domain, *n.input, *n.output)]
    names += [part.name for part in (*graph.input, *graph.output, *graph.initializer)]
    wrong = next((name for name in names if not isinstance(name, str)), None)
    if wrong is not None:
        raise ModelError(f"cannot import {label}: the name {wrong!r} in it is not UTF-8 text")


def _refuse_control_flow(label: str, model: onnx.ModelProto) -> None:
    nodes = list(model.graph.node)
    for function in model.functions:
        nodes.extend(function.node)
    issues = [
        Issue(node.op_type, node_label(node), "control flow is not supported; export by tracing")
        for node in nodes
        if any(a.type in _GRAPHS or a.HasField("g") or a.graphs for a in node.attribute)
    ]
    if issues:
        raise unsupported_error(label, issues)


def sort_nodes(label: str, graph: onnx.GraphProto) -> None:
    """Orders the nodes topologically, stably, in place.

    Errors: `ModelError` for a name written twice, an undefined input or a cycle.
    """
    producer = _producers(label, graph)
    known = {i.name for i in graph.input} | {i.name for i in graph.initializer} | {""}
    waiting: list[int] = []
    readers: dict[int, list[int]] = {}
    for index, node in enumerate(graph.node):
        sources = {producer[name] for name in _read(label, node, producer, known)}
        waiting.append(len(sources))
        for source in sources:
            readers.setdefault(source, []).append(index)
    order = _kahn(waiting, readers)
    if len(order) < len(graph.node):
        stuck = next(i for i, count in enumerate(waiting) if count > 0)
        raise ModelError(
            f"cannot import {label}: cyclic graph through node {node_label(graph.node[stuck])!r}"
        )
    _check_outputs(label, graph, known | set(producer))
    if order != list(range(len(order))):
        nodes = [onnx.NodeProto.FromString(graph.node[i].SerializeToString()) for i in order]
        del graph.node[:]
        graph.node.extend(nodes)


def _producers(label: str, graph: onnx.GraphProto) -> dict[str, int]:
    taken = {i.name for i in graph.input} | {i.name for i in graph.initializer}
    producer: dict[str, int] = {}
    for index, node in enumerate(graph.node):
        for name in filter(None, node.output):
            if name in taken or name in producer:
                raise ModelError(
                    f"cannot import {label}: value {name!r} is written twice, the second time by "
                    f"node {node_label(node)!r}"
                )
            producer[name] = index
    return producer


def _read(
    label: str, node: onnx.NodeProto, producer: dict[str, int], known: set[str]
) -> Iterator[str]:
    for name in node.input:
        if name in producer:
            yield name
        elif name not in known:
            raise ModelError(
                f"cannot import {label}: node {node_label(node)!r} reads {name!r}, which nothing "
                "defines"
            )


def _kahn(waiting: list[int], readers: dict[int, list[int]]) -> list[int]:
    ready = deque(i for i, count in enumerate(waiting) if count == 0)
    order: list[int] = []
    while ready:
        index = ready.popleft()
        order.append(index)
        for reader in readers.get(index, ()):
            waiting[reader] -= 1
            if waiting[reader] == 0:
                ready.append(reader)
    # An order that is already right is kept: exporters' order is the readable one.
    position = {index: at for at, index in enumerate(order)}
    right = all(source < r for source, all_r in readers.items() for r in all_r)
    return sorted(position) if right else order


def _check_outputs(label: str, graph: onnx.GraphProto, known: set[str]) -> None:
    names: Sequence[str] = [o.name for o in graph.output]
    if not names or len(set(names)) < len(names):
        raise ModelError(f"cannot import {label}: it needs outputs with different names")
    for name in names:
        if name not in known or not name:
            raise ModelError(f"cannot import {label}: nothing defines the output {name!r}")


def live_nodes(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The nodes that an output depends on, in order."""
    needed = {o.name for o in graph.output}
    live = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            live.append(node)
            needed.update(node.input)
    return live[::-1]
