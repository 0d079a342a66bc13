"""Imports an ONNX model: read, normalise, convert."""

from __future__ import annotations

import os

import onnx

from onnx_import.convert import convert
from onnx_import.imported import ImportedModel
from onnx_import.limits import DEFAULT_LIMITS, Limits
from onnx_import.normalise import normalise
from onnx_import.read import read_model


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
    source = read_model(model, limits)
    template = normalise(source.label, source.model, limits)
    return convert(source.label, template, source.arrays, limits)
