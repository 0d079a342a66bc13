"""Runs a whole model by constant folding: for what is no network, and as a second opinion."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx

from onnx_import.check import live_nodes, node_label
from onnx_import.errors import Issue, ModelError, Unsupported, unsupported_error
from onnx_import.fold import FOLDERS, fold, shape_of
from onnx_import.limits import DEFAULT_LIMITS, Budget, Limits
from onnx_import.normalise import normalise
from onnx_import.read import Source, read_model, tensor_array
from onnx_import.values import Known


def evaluate(
    model: onnx.ModelProto, feeds: Mapping[str, np.ndarray], *, limits: Limits = DEFAULT_LIMITS
) -> list[np.ndarray]:
    """The outputs of a model for arrays of any numeric type, in the order of the file.

    Args:
        model: any operators that have an evaluator; its training_mode counts.
        feeds: an array for every input that has no initializer.
        limits: budgets for what is computed.

    Errors: `ModelError`, naming an unsupported node or a missing input.
    """
    source = read_model(model, limits)
    graph = normalise(source.label, source.model, limits).graph
    values = _given(source, graph, feeds)
    budget = Budget(limits)
    for node in live_nodes(graph):
        try:
            results = _run(node, values, budget)
        except Unsupported as reason:
            issue = Issue(node.op_type, node_label(node), str(reason))
            raise unsupported_error(source.label, [issue]) from reason
        values.update(zip(node.output, results, strict=False))
    return [_output(source.label, values, info.name) for info in graph.output]


def _given(
    source: Source, graph: onnx.GraphProto, feeds: Mapping[str, np.ndarray]
) -> dict[str, Known]:
    values = {}
    for tensor in graph.initializer:
        array = source.arrays.get(tensor.name)
        values[tensor.name] = Known.same(tensor_array(tensor) if array is None else array)
    for info in graph.input:
        if info.name not in feeds:
            raise ModelError(f"cannot run {source.label}: input {info.name!r} is missing")
        values[info.name] = Known.same(np.asarray(feeds[info.name]))
    return values


def _run(node: onnx.NodeProto, values: dict[str, Known], budget: Budget) -> list[Known]:
    inputs = [values[name] if name else None for name in node.input]
    if node.op_type in ("Shape", "Size") and len(inputs) == 1 and inputs[0] is not None:
        return [shape_of(node, inputs[0])]
    if node.op_type not in FOLDERS or node.domain not in ("", "ai.onnx"):
        raise Unsupported("the operator has no evaluator")
    return fold(node, inputs, budget, training=True)


def _output(label: str, values: dict[str, Known], name: str) -> np.ndarray:
    if name not in values:
        raise ModelError(f"cannot run {label}: its output {name!r} is not computed")
    return values[name].at[0]
