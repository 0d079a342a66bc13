"""Old forms of operators that ONNX's version converter leaves as they are."""

from __future__ import annotations

import onnx

from onnx_import.passes import run_pass


def upgrade_prelu(model: onnx.ModelProto) -> None:
    """Brings PRelu of opset 6 to the broadcasting of opset 7, in place.

    A slope of shape (C,) meant the channels until opset 6; since then it means the last axis.

    Errors: `PassError`.
    """
    graph = model.graph
    if not any(node.op_type == "PRelu" for node in graph.node):
        return
    ranks = _ranks(model)
    taken = {name for node in graph.node for name in (*node.input, *node.output)}
    for index in reversed(range(len(graph.node))):
        node = graph.node[index]
        if node.op_type != "PRelu" or len(node.input) != 2 or ranks.get(node.input[1]) != 1:
            continue
        if ranks.get(node.input[0], 0) > 2:
            _align(graph, index, ranks[node.input[0]], taken)


def _align(graph: onnx.GraphProto, index: int, rank: int, taken: set[str]) -> None:
    """Gives the slope of node `index` one dimension per axis from the channels on."""
    slope = graph.node[index].input[1]
    name = f"{slope}.per_channel"
    while name in taken:
        name += "_"
    taken.add(name)
    graph.node[index].input[1] = name
    axes = list(range(1, rank - 1))
    graph.node.insert(index, onnx.helper.make_node("Unsqueeze", [slope], [name], axes=axes))


def _ranks(model: onnx.ModelProto) -> dict[str, int]:
    """Dimensions of the values, as far as they can be told."""
    graph = run_pass("infer", model).graph
    infos = [*graph.input, *graph.value_info, *graph.output]
    ranks = {i.name: len(i.type.tensor_type.shape.dim) for i in infos}
    return ranks | {t.name: len(t.dims) for t in graph.initializer}
