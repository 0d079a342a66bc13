"""Writes the text form of a native graph, the one thing that the native core reads."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

_PLAIN = re.compile(r"[A-Za-z0-9_./:+-]+")

Attribute = int | float | bool | str | tuple[float, ...]

#: Native defaults (native/graph/graph.h); equal attributes are left out.
_DEFAULTS: Mapping[str, Attribute] = {
    "kernel": (1, 1),
    "strides": (1, 1),
    "dilations": (1, 1),
    "pads": (0, 0, 0, 0),
    "groups": 1,
    "ceil_mode": False,
    "count_include_pad": False,
    "has_scale": True,
    "has_shift": True,
    "epsilon": 1e-5,
    "momentum": 0.9,
    "ratio": 0.5,
    "per_sample": False,
    "size": 5,
    "alpha": 1e-4,
    "beta": 0.75,
    "bias": 1.0,
    "exponent": 1.0,
    "approximate": False,
    "min": -math.inf,
    "max": math.inf,
    "extent": (1, 1),
    "rows": (0, 1, 1, 0),
    "columns": (0, 1, 1, 0),
    "interpolation": "nearest",
    "rounding": "floor",
    "cubic_a": -0.75,
    "antialias": False,
    "exclude_outside": False,
    "border": "edge",
    "border_value": 0.0,
    "block": 1,
    "weight": 1.0,
}


@dataclass
class GraphNode:
    """One native node; `output` and `params` may still change while converting."""

    op: str
    name: str
    inputs: list[str]
    params: list[str]
    output: str
    attributes: dict[str, Attribute] = field(default_factory=dict)

    def line(self) -> str:
        parts = ["node", self.op, quoted(self.name)]
        for names in (self.inputs, self.params, [self.output]):
            parts += [":", *map(quoted, names)]
        for key, value in self.attributes.items():
            default = _DEFAULTS.get(key)
            if default is None or _number(default) != _number(value):
                parts.append(f"{key}={_number(value)}")
        return " ".join(parts)


@dataclass(frozen=True)
class GraphParam:
    """One native parameter; `dims[0]` counts output channels."""

    name: str
    role: str
    dims: tuple[int, ...]
    frozen: bool = False

    def line(self) -> str:
        dims = " ".join(str(d) for d in self.dims)
        return f"param {quoted(self.name)} {self.role} {dims}" + " frozen" * self.frozen


def graph_text(
    input_name: str,
    input_shape: tuple[int, int, int],
    params: Iterable[GraphParam],
    nodes: Iterable[GraphNode],
    outputs: Iterable[str],
) -> str:
    """The whole graph; nodes in topological order."""
    lines = ["hpmp-graph 1", f"input {quoted(input_name)} {' '.join(map(str, input_shape))}"]
    lines += [param.line() for param in params]
    lines += [node.line() for node in nodes]
    lines += [f"output {quoted(name)}" for name in outputs]
    return "\n".join(lines) + "\n"


def quoted(name: str) -> str:
    """A name as one token."""
    if _PLAIN.fullmatch(name) and name != ":":
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _number(value: Attribute) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        return ",".join(map(_number, value))
    if isinstance(value, float):
        # ONNX attributes are float32; their shortest form is the number that was meant.
        return str(np.float32(value))
    return str(int(value))


def unique_name(name: str, taken: dict[str, int]) -> str:
    """`name`, or `name_2` and so on where it is taken; `taken` counts the names like it."""
    unique = name
    while unique in taken:
        taken[name] += 1
        unique = f"{name}_{taken[name]}"
    taken[unique] = 1
    return unique
