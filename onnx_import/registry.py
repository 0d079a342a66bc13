"""The table of converters: one small function per ONNX operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from onnx_import.builder import NodeContext
from onnx_import.values import Value

#: A converter returns the values of the node's first outputs.
Converter = Callable[[NodeContext], Sequence[Value]]

CONVERTERS: dict[str, Converter] = {}


def converter(*ops: str) -> Callable[[Converter], Converter]:
    """Registers a function for the named ONNX operators."""

    def register(function: Converter) -> Converter:
        CONVERTERS.update(dict.fromkeys(ops, function))
        return function

    return register
