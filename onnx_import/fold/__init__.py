"""Evaluates the constant parts of a graph: shape arithmetic, and weights computed from weights."""

from __future__ import annotations

# Importing a module of evaluators fills the table.
from onnx_import.fold import (
    activations,
    arithmetic,
    assemble,
    constants,
    matrix,
    normalisation,
    pools,
    reduce,
    resize,
    views,
    windows,
)
from onnx_import.fold.table import FOLDERS, axis_of, fold, ints
from onnx_import.fold.views import new_shape, shape_of

TABLE_MODULES = (
    activations,
    arithmetic,
    assemble,
    constants,
    matrix,
    normalisation,
    pools,
    reduce,
    resize,
    views,
    windows,
)

__all__ = ["FOLDERS", "axis_of", "fold", "ints", "new_shape", "shape_of"]
