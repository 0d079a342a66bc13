"""ONNX in, ONNX out: the only package that knows the format."""

from __future__ import annotations

from onnx import ModelProto

from onnx_import.check import OPSET
from onnx_import.errors import Issue, ModelError, grouped, safe_text
from onnx_import.evaluate import evaluate
from onnx_import.imported import ImportedModel, ParamBinding, Transform
from onnx_import.inspection import Inspection, inspect_model
from onnx_import.limits import Limits
from onnx_import.load import load
from onnx_import.save import export

__all__ = [
    "OPSET",
    "ImportedModel",
    "Inspection",
    "Issue",
    "Limits",
    "ModelError",
    "ModelProto",
    "ParamBinding",
    "Transform",
    "evaluate",
    "export",
    "grouped",
    "inspect_model",
    "load",
    "safe_text",
]
