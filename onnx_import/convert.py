"""Walks an ONNX graph once, folding what is constant and converting the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx

from onnx_import import (
    convert_arithmetic,
    convert_function,
    convert_index,
    convert_matrix,
    convert_norm,
    convert_pad,
    convert_random,
    convert_resample,
    convert_sequence,
    convert_transposed,
    convert_window,
)
from onnx_import.builder import Builder, NodeContext
from onnx_import.check import live_nodes, node_label
from onnx_import.detach import detach
from onnx_import.errors import MOST_ISSUES, Issue, ModelError, Unsupported, unsupported_error
from onnx_import.fold import FOLDERS, fold, shape_of
from onnx_import.imported import ImportedModel, ParamBinding
from onnx_import.input_form import input_forms
from onnx_import.limits import Budget, Limits
from onnx_import.read import has_data, tensor_array
from onnx_import.registry import CONVERTERS
from onnx_import.text import graph_text
from onnx_import.values import SOURCES, Known, Poison, Tensor, Value
from onnx_import.warn import warnings_about

ONLY_CONSTANTS = "the operator is only supported on constants"
# Importing a converter module fills the table.
TABLE_MODULES = (
    convert_arithmetic,
    convert_function,
    convert_index,
    convert_matrix,
    convert_norm,
    convert_pad,
    convert_random,
    convert_resample,
    convert_sequence,
    convert_transposed,
    convert_window,
)


@dataclass(frozen=True)
class Attempt:
    """A conversion, complete if there are no issues."""

    builder: Builder
    input_name: str
    issues: list[Issue]


def convert(
    label: str, model: onnx.ModelProto, arrays: dict[str, np.ndarray], limits: Limits
) -> ImportedModel:
    """Converts a normalised model.

    Errors: `ModelError`, listing every node that is not supported.
    """
    tried = attempt(label, model, arrays, limits)
    if tried.issues:
        raise unsupported_error(label, tried.issues)
    return _result(model, tried.builder, arrays, tried.input_name)


def attempt(
    label: str, model: onnx.ModelProto, arrays: dict[str, np.ndarray], limits: Limits
) -> Attempt:
    """Converts a normalised model as far as possible, its input in the form that gets furthest.

    Errors: `ModelError` where its input is unusable or a budget is exceeded.
    """
    graph = model.graph
    budget = Budget(limits)
    input_info, dims, fixed_batch = _network_input(label, graph)
    budget.check_shape(dims, f"cannot import {label}: input {input_info.name!r}")
    constants = {
        t.name: arrays[t.name] if t.name in arrays else tensor_array(t) for t in graph.initializer
    }
    tries = []
    for form in input_forms(input_info.name, dims):
        builder = Builder(graph, budget, fixed_batch)
        builder.input(form)
        builder.values |= {n: Known((a, a), "initializer", n) for n, a in constants.items()}
        issues = _convert_nodes(builder, live_nodes(graph))
        issues += _finish_outputs(builder, graph) if not issues else []
        tries.append(Attempt(builder, input_info.name, issues))
        if not issues:
            return tries[-1]
    return max(tries, key=lambda tried: len(tried.builder.nodes()))


def _convert_nodes(builder: Builder, nodes: list[onnx.NodeProto]) -> list[Issue]:
    issues: list[Issue] = []
    for node in nodes:
        if len(issues) == MOST_ISSUES:
            break
        values: list[Value] = []
        try:
            values = _convert_node(builder, node)
            for index, name in enumerate(node.output[len(values) :], start=len(values)):
                if builder.uses[name]:
                    raise Unsupported(f"its output {index} is used")
        except Unsupported as reason:
            issues.append(Issue(node.op_type, node_label(node), str(reason)))
        values += [_poison(builder, node)] * (len(node.output) - len(values))
        builder.values.update(zip(node.output, values, strict=False))
    return issues


def _convert_node(builder: Builder, node: onnx.NodeProto) -> list[Value]:
    _check_known(node)
    inputs = [builder.values[name] if name else None for name in node.input]
    if any(isinstance(value, Poison) for value in inputs):
        poison = _poison(builder, node)
        if poison.of_input and node.op_type not in CONVERTERS and not _is_shape(node):
            raise Unsupported(ONLY_CONSTANTS)
        return [poison] * len(node.output)
    if _is_shape(node) and isinstance(inputs[0], Known | Tensor):
        return [shape_of(node, inputs[0])]
    if node.op_type == "CastLike" and inputs and isinstance(inputs[-1], Tensor):
        inputs[-1] = Known.same(np.zeros(0, np.float32))  # activations are float32
    constants = [value for value in inputs if value is None or isinstance(value, Known)]
    if len(constants) == len(inputs) and node.op_type in FOLDERS:
        results = fold(node, constants, builder.budget)
        builder.folded[node.op_type] += 1
        builder.folded_elements += sum(known.at[0].size for known in results)
        return list(results)
    if len(constants) == len(inputs) and node.op_type not in SOURCES:
        raise Unsupported("none of its inputs depends on the network's input")
    if node.op_type not in CONVERTERS:
        raise Unsupported(ONLY_CONSTANTS)
    return list(CONVERTERS[node.op_type](NodeContext(builder, node, inputs)))


def _poison(builder: Builder, node: onnx.NodeProto) -> Poison:
    """What the outputs of a node that failed, or that reads of one that did, stand for."""
    inputs = [builder.values[name] for name in node.input if name]
    failed = [value for value in inputs if isinstance(value, Poison)]
    of_input = any(isinstance(v, Tensor) for v in inputs) or any(v.of_input for v in failed)
    if failed:
        return Poison(of_input, failed[0].op, failed[0].node)
    return Poison(of_input, node.op_type, node_label(node))


def _check_known(node: onnx.NodeProto) -> None:
    if node.domain not in ("", "ai.onnx"):
        raise Unsupported(f"operators of domain {node.domain!r} are unknown")
    if not (node.op_type in CONVERTERS or node.op_type in FOLDERS or _is_shape(node)):
        raise Unsupported("the operator is unknown")


def unknown_nodes(graph: onnx.GraphProto) -> list[Issue]:
    """The nodes whose operator has no converter, whatever its inputs."""
    issues = []
    for node in graph.node:
        try:
            _check_known(node)
        except Unsupported as reason:
            issues.append(Issue(node.op_type, node_label(node), str(reason)))
    return issues


def _is_shape(node: onnx.NodeProto) -> bool:
    return node.op_type in ("Shape", "Size") and len(node.input) == 1


def _finish_outputs(builder: Builder, graph: onnx.GraphProto) -> list[Issue]:
    issues = []
    for output in graph.output:
        try:
            builder.finish_output(output.name)
        except Unsupported as reason:
            issues.append(Issue("output", output.name, str(reason)))
    return issues


def _network_input(
    label: str, graph: onnx.GraphProto
) -> tuple[onnx.ValueInfoProto, tuple[int, ...], int | None]:
    """The one input, its dims after the batch, and the batch if the file fixes it."""
    if len(graph.input) != 1:
        names = [i.name for i in graph.input]
        raise ModelError(f"cannot import {label}: it has the inputs {names}; one is needed")
    info = graph.input[0]
    kind = info.type.tensor_type
    shape = [d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim]
    if kind.elem_type != onnx.TensorProto.FLOAT:
        raise ModelError(f"cannot import {label}: input {info.name!r} must be float32")
    sample = tuple(d for d in shape[1:] if d is not None and d > 0)
    if len(shape) not in (2, 3, 4) or len(sample) < len(shape) - 1:
        shown = [d.dim_param or d.dim_value or "?" for d in kind.shape.dim]
        raise ModelError(
            f"cannot import {label}: input {info.name!r} has the shape {shown}; it must be "
            "(N, C, H, W), (N, H, W, C), (N, C, L) or (N, F), fixed but for N; export with only "
            "the batch dynamic"
        )
    return info, sample, shape[0] or None


def _result(
    model: onnx.ModelProto, builder: Builder, arrays: dict[str, np.ndarray], input_name: str
) -> ImportedModel:
    outputs = [o.name for o in model.graph.output]
    source = builder.values[input_name]
    assert isinstance(source, Tensor)
    params = builder.params
    text = graph_text(input_name, source.shape, params.list, builder.nodes(), outputs)
    return ImportedModel(
        graph_text=text,
        params=params.arrays,
        bindings=params.bindings,
        template=model,
        input_name=input_name,
        output_names=outputs,
        constants=_constants(model.graph, params.bindings, arrays),
        warnings=warnings_about(model),
        input_order=source.order,
        output_dims=builder.output_dims,
        output_orders=builder.output_orders,
    )


def _constants(
    graph: onnx.GraphProto, bindings: list[ParamBinding], arrays: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The large initializers that a model without its parameters still needs."""
    rest = onnx.GraphProto()
    rest.CopyFrom(graph)
    detach(rest, bindings)
    names = [t.name for t in rest.initializer if not has_data(t)]
    bound = {b.initializer for b in bindings if b.direct}
    return {n: arrays[n].copy() if n in bound else arrays[n] for n in names}
