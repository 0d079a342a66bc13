"""What is in a model file and what the importer makes of it, supported or not."""

from __future__ import annotations

import math
import os
from collections import Counter
from dataclasses import dataclass, field

import onnx

from onnx_import.check import live_nodes
from onnx_import.convert import Attempt, attempt, unknown_nodes
from onnx_import.errors import Issue, ModelError
from onnx_import.limits import DEFAULT_LIMITS, Limits
from onnx_import.normalise import normalise
from onnx_import.read import Source, read_model
from onnx_import.text import GraphParam
from onnx_import.unreached import Unreached, unreached
from onnx_import.warn import RECIPE, recipe_for, warnings_about

TRAINABLE, STATE, FROZEN = "trainable", "state", "frozen"
_STATISTICS = ("running_mean", "running_var")


@dataclass(frozen=True)
class Operator:
    """An ONNX operator: how many nodes run in the engine, became constants, cannot be used."""

    name: str
    nodes: int
    folded: int
    unsupported: int


@dataclass(frozen=True)
class Parameter:
    """kind: trainable, state or frozen. readers: slots of nodes that share it."""

    name: str
    role: str
    shape: tuple[int, ...]
    kind: str
    readers: int = 1


@dataclass
class Inspection:
    """A model as far as it could be read.

    Attributes:
        error: why the import as a whole is impossible; issues then are what else is known.
        inputs, outputs: name and type with dimensions.
        constants: nodes that were folded, and elements that they made.
        untied: parameters that got a copy of an initializer that another one uses.
        unreached: initializers behind the nodes that an unsupported model stumbles over.
        unused: initializers that are no parameter, by name.
        recipe: how to export it again, where it cannot be trained as it is.
    """

    model: str
    producer: str = ""
    opset: int | None = None
    inputs: list[tuple[str, str]] = field(default_factory=list)
    outputs: list[tuple[str, str]] = field(default_factory=list)
    operators: list[Operator] = field(default_factory=list)
    parameters: list[Parameter] = field(default_factory=list)
    constants: tuple[int, int] = (0, 0)
    untied: list[tuple[str, str]] = field(default_factory=list)
    unreached: list[Unreached] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    error: str = ""
    recipe: str = ""

    @property
    def supported(self) -> bool:
        return not self.issues and not self.error

    def elements(self) -> dict[str, int]:
        """Elements of all parameters of each kind."""
        counts: Counter[str] = Counter({TRAINABLE: 0, STATE: 0, FROZEN: 0})
        for parameter in self.parameters:
            counts[parameter.kind] += math.prod(parameter.shape)
        return dict(counts)


def inspect_model(
    model: str | os.PathLike[str] | onnx.ModelProto, *, limits: Limits = DEFAULT_LIMITS
) -> Inspection:
    """Looks at a model; never raises for what is in it, but says so in the result."""
    name = model.graph.name if isinstance(model, onnx.ModelProto) else os.fspath(model)
    found, recipe = Inspection(str(name)), RECIPE
    try:
        source = read_model(model, limits)
        recipe = recipe_for(source.model)
        _facts(found, source.model)
        _converted(found, source, limits)
    except ModelError as error:
        found.error = str(error)
    if found.warnings or not found.supported:
        found.recipe = recipe
    return found


def _facts(found: Inspection, model: onnx.ModelProto) -> None:
    """What stands in the file itself."""
    stored = {t.name for t in model.graph.initializer}
    found.producer = f"{model.producer_name} {model.producer_version}".strip()
    versions = {o.domain: o.version for o in model.opset_import}
    found.opset = versions.get("", versions.get("ai.onnx"))
    found.inputs = [(i.name, _type(i)) for i in model.graph.input if i.name not in stored]
    found.outputs = [(o.name, _type(o)) for o in model.graph.output]
    found.operators = _operators(model.graph, Counter(), Counter())
    found.issues = unknown_nodes(model.graph)


def _type(info: onnx.ValueInfoProto) -> str:
    kind = info.type.tensor_type
    types = {number: text.lower() for text, number in onnx.TensorProto.DataType.items()}
    dims = ", ".join(str(d.dim_param or d.dim_value or "?") for d in kind.shape.dim)
    return f"{types.get(kind.elem_type, 'no tensor')} ({dims})"


def _converted(found: Inspection, source: Source, limits: Limits) -> None:
    """What the importer makes of it."""
    template = normalise(source.label, source.model, limits)
    found.issues = []
    tried = attempt(source.label, template, source.arrays, limits)
    builder, found.issues = tried.builder, tried.issues
    found.warnings = warnings_about(template)
    found.constants = builder.folded.total(), builder.folded_elements
    failed = Counter(issue.op for issue in tried.issues)
    found.operators = _operators(template.graph, builder.folded, failed)
    found.parameters = _parameters(tried)
    found.untied = list(builder.params.untied)
    used = {b.initializer for b in builder.params.bindings}
    found.unreached = [
        row
        for row in unreached(template.graph, live_nodes(template.graph), builder.values)
        if row.initializer not in used
    ]
    used |= {row.initializer for row in found.unreached}
    found.unused = [
        t.name for t in template.graph.initializer if t.name not in used and len(t.dims) > 0
    ]


def _operators(
    graph: onnx.GraphProto, folded: Counter[str], failed: Counter[str]
) -> list[Operator]:
    counts = Counter(str(node.op_type) for node in live_nodes(graph))
    return [Operator(op, count, folded[op], failed[op]) for op, count in sorted(counts.items())]


def _parameters(tried: Attempt) -> list[Parameter]:
    params = tried.builder.params
    readers = {b.param: len(b.slots) for b in params.bindings}
    return [
        Parameter(p.name, p.role, p.dims, _kind(p), readers.get(p.name, 1)) for p in params.list
    ]


def _kind(param: GraphParam) -> str:
    if param.frozen:
        return FROZEN
    return STATE if param.role in _STATISTICS else TRAINABLE
