"""Imports an ONNX model: read, normalise, convert."""

from __future__ import annotations

import os

import onnx

from onnx_import.convert import convert, unknown_nodes
from onnx_import.errors import ConversionError, unsupported_error
from onnx_import.imported import ImportedModel
from onnx_import.limits import DEFAULT_LIMITS, Limits
from onnx_import.normalise import normalise
from onnx_import.read import Source, read_model


def load(
    model: str | os.PathLike[str] | onnx.ModelProto, *, limits: Limits = DEFAULT_LIMITS
) -> ImportedModel:
    """Imports a model for training or inference.

    Args:
        model: the path of an ONNX file, or a ModelProto, which is left as it is.
        limits: budgets against hostile or mistaken files.

    Returns:
        The native graph, its weights, and what `export` needs.

    Errors: `ModelError` with a one-line message; unsupported nodes are all listed in it.
    """
    return _import(read_model(model, limits), limits)


def _import(source: Source, limits: Limits) -> ImportedModel:
    try:
        template = normalise(source.label, source.model, limits)
    except ConversionError as error:
        # Old forms of unknown operators are a likely reason, and a more useful one.
        if issues := unknown_nodes(source.model.graph):
            raise unsupported_error(source.label, issues) from error
        raise
    return convert(source.label, template, source.arrays, limits)
