"""Tells the user when a file has lost what training needs."""

from __future__ import annotations

import re

import onnx

RECIPE = (
    "torch.onnx.export(model, x, path, dynamo=False, training=torch.onnx.TrainingMode.TRAINING, "
    "do_constant_folding=False)"
)

NORMALISATIONS = ("BatchNormalization", "LayerNormalization")


def warnings_about(model: onnx.ModelProto) -> list[str]:
    """One line per problem that does not keep the model from being imported."""
    folded = folded_convolutions(model.graph)
    if not folded:
        return []
    recipe = recipe_for(model)
    cure = f"; export with {recipe}" if recipe else ", as in all files of this exporter"
    return [
        f"batch-normalization looks folded into {folded} convolutions, so training starts "
        f"without it{cure}"
    ]


def recipe_for(model: onnx.ModelProto) -> str:
    """How to export it again for training; empty where its exporter has no such form."""
    return "" if model.producer_name == "tf2onnx" else RECIPE


def folded_convolutions(graph: onnx.GraphProto) -> int:
    """How many convolutions look as if a batch-normalization had been folded into them.

    PyTorch's exporters leave traces: the new one names such a convolution's output `getitem`,
    after the batch-norm's tuple, the old one renames the weights to `onnx::Conv_N`. Otherwise
    residual additions without any batch-norm are suspicious.
    """
    convs = [node for node in graph.node if node.op_type == "Conv"]
    traces = [
        node
        for node in convs
        if any(re.match(r"getitem(_\d+)?$", name) for name in node.output)
        or (len(node.input) > 1 and node.input[1].startswith("onnx::Conv_"))
    ]
    if traces:
        return len(traces)
    if any(node.op_type in NORMALISATIONS for node in graph.node):
        return 0
    return len(convs) if _has_residual(graph) else 0


def _has_residual(graph: onnx.GraphProto) -> bool:
    stored = {tensor.name for tensor in graph.initializer}
    computed = {name for node in graph.node if node.input for name in node.output} - stored
    return any(
        node.op_type in ("Add", "Sum") and len(computed.intersection(node.input)) > 1
        for node in graph.node
    )
