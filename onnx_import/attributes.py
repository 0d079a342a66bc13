"""Attributes of an ONNX node, read with a type and a default."""

from __future__ import annotations

import math
from typing import Any

import onnx

from onnx_import.errors import Unsupported


class Attributes:
    """The attributes of one node. Errors: `Unsupported` for a wrong type."""

    def __init__(self, node: onnx.NodeProto) -> None:
        self._by_name = {a.name: a for a in node.attribute}

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def _get(self, name: str, kind: int, field: str, default: Any) -> Any:
        attribute = self._by_name.get(name)
        if attribute is None:
            return default
        if attribute.ref_attr_name or attribute.type not in (kind, 0):
            raise Unsupported(f"attribute {name} has a wrong type")
        return getattr(attribute, field)

    def integer(self, name: str, default: int) -> int:
        return int(self._get(name, onnx.AttributeProto.INT, "i", default))

    def real(self, name: str, default: float) -> float:
        value = float(self._get(name, onnx.AttributeProto.FLOAT, "f", default))
        if not math.isfinite(value):
            raise Unsupported(f"{name} {value} must be finite")
        return value

    def text(self, name: str, default: str) -> str:
        value = self._get(name, onnx.AttributeProto.STRING, "s", default.encode())
        return bytes(value).decode("utf-8", "replace")

    def integers(self, name: str, default: list[int] | None = None) -> list[int] | None:
        value = self._get(name, onnx.AttributeProto.INTS, "ints", default)
        return None if value is None else [int(i) for i in value]

    def reals(self, name: str) -> list[float]:
        return [float(f) for f in self._get(name, onnx.AttributeProto.FLOATS, "floats", [])]

    def tensor(self, name: str) -> onnx.TensorProto | None:
        value = self._get(name, onnx.AttributeProto.TENSOR, "t", None)
        return value if isinstance(value, onnx.TensorProto) else None
