"""Brings a template to one form: functions inlined, opset 21, no initializer among the inputs."""

from __future__ import annotations

import onnx

from onnx_import.check import OPSET, check_model, sort_nodes
from onnx_import.errors import ConversionError, ModelError, one_line
from onnx_import.limits import Limits
from onnx_import.passes import PassError, run_pass
from onnx_import.read import has_data
from onnx_import.upgrade import upgrade_prelu

#: The newest IR that runtimes in use accept.
IR_VERSION = 10


def normalise(label: str, model: onnx.ModelProto, limits: Limits) -> onnx.ModelProto:
    """Returns the model in opset 21 with sorted nodes; the argument may be changed.

    Errors: `ModelError`.
    """
    check_model(label, model, limits)
    if model.functions:
        model = _inlined(label, model, limits)
    version = check_model(label, model, limits)
    initializers = {t.name for t in model.graph.initializer}
    inputs = [i for i in model.graph.input if i.name not in initializers]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    del model.graph.value_info[:]
    sort_nodes(label, model.graph)
    model.ir_version = IR_VERSION
    if version < OPSET:
        model = _converted(label, model, version)
        sort_nodes(label, model.graph)
    del model.opset_import[:]
    model.opset_import.add(domain="", version=OPSET)
    return model


def _inlined(label: str, model: onnx.ModelProto, limits: Limits) -> onnx.ModelProto:
    """Inlines the model's functions, whose expansion is measured first."""
    bodies = {(f.domain, f.name): f for f in model.functions}
    sizes: dict[tuple[str, str], int] = {}

    def size(key: tuple[str, str], path: tuple[tuple[str, str], ...]) -> int:
        if key in path or len(path) > 50:
            raise ModelError(f"cannot import {label}: function {key[1]!r} calls itself")
        if key not in sizes:
            calls = ((n.domain, n.op_type) for n in bodies[key].node)
            sizes[key] = sum(size(c, (*path, key)) if c in bodies else 1 for c in calls)
        return sizes[key]

    calls = ((n.domain, n.op_type) for n in model.graph.node)
    total = sum(size(c, ()) if c in bodies else 1 for c in calls)
    if total > limits.nodes:
        raise ModelError(
            f"cannot import {label}: {total} nodes after inlining its functions, at most "
            f"{limits.nodes} are allowed (Limits.nodes)"
        )
    try:
        return run_pass("inline", model)
    except PassError as error:
        raise ModelError(
            f"cannot import {label}: inlining its functions failed: {one_line(error)}"
        ) from error


def _converted(label: str, model: onnx.ModelProto, version: int) -> onnx.ModelProto:
    """Runs the version converter, with stripped initializers standing in as inputs."""
    light = onnx.ModelProto()
    light.CopyFrom(model)
    large = [t for t in light.graph.initializer if not has_data(t)]
    small = [t for t in light.graph.initializer if has_data(t)]
    del light.graph.initializer[:]
    light.graph.initializer.extend(small)
    for t in large:
        light.graph.input.append(onnx.helper.make_tensor_value_info(t.name, t.data_type, t.dims))
    try:
        if version < 7:
            upgrade_prelu(light)
        result = run_pass("convert", light, OPSET)
    except PassError as error:
        raise ConversionError(
            f"cannot import {label}: opset {version} does not convert to {OPSET}: "
            f"{one_line(error)}; export with opset_version={OPSET}"
        ) from error
    names = {t.name for t in large}
    inputs = [i for i in model.graph.input if i.name not in names]
    del result.graph.input[:]
    result.graph.input.extend(inputs)
    result.graph.initializer.extend(large)
    del result.graph.value_info[:]
    _restore_notes(model, result)
    if version < 11:
        _place_old_resizes(result.graph)
    return result


def _place_old_resizes(graph: onnx.GraphProto) -> None:
    """Says where Upsample and Resize took their pixels before they could say so themselves; the
    converter leaves it to the newer default.
    """
    for node in graph.node:
        if node.op_type == "Resize":
            for name, value in (
                ("coordinate_transformation_mode", "asymmetric"),
                ("nearest_mode", "floor"),
            ):
                if all(a.name != name for a in node.attribute):
                    node.attribute.append(onnx.helper.make_attribute(name, value))


def _restore_notes(old: onnx.ModelProto, new: onnx.ModelProto) -> None:
    """The converter drops metadata and documentation; nodes are matched by their output."""
    del new.metadata_props[:]
    new.metadata_props.extend(old.metadata_props)
    del new.graph.metadata_props[:]
    new.graph.metadata_props.extend(old.graph.metadata_props)
    new.doc_string, new.graph.doc_string = old.doc_string, old.graph.doc_string
    new.graph.name = old.graph.name
    nodes = {node.output[0]: node for node in old.graph.node if node.output}
    for node in new.graph.node:
        before = nodes.get(node.output[0]) if node.output else None
        if before is not None and before.op_type == node.op_type:
            node.name, node.doc_string = before.name, before.doc_string
            del node.metadata_props[:]
            node.metadata_props.extend(before.metadata_props)
