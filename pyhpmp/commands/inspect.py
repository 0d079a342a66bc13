"""hpmp-plan --inspect: what is in a model file, and what keeps it from being used."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pyhpmp import launch, model_files
from pyhpmp.commands.results import print_json
from pyhpmp.errors import USER_MISTAKE

if TYPE_CHECKING:
    from onnx_import import Inspection

MOST_LINES = 20  # of tied and untied weights; --json has them all


def inspect(arguments: argparse.Namespace, context: launch.RankContext) -> int:
    """Prints everything on rank 0; returns the exit code, 2 if the model cannot be used."""
    if context.rank == 0:
        found = model_files.inspect(
            arguments.model, classes=arguments.classes, image=arguments.image, seed=arguments.seed
        )
        if arguments.json:
            print_json(as_dict(found))
        else:
            _print(found)
        return 0 if found.supported else USER_MISTAKE
    return 0


def as_dict(found: Inspection) -> dict[str, Any]:
    """All of it, for a program."""
    rows = {
        "supported": found.supported,
        "error": found.error or None,
        "unsupported": _reasons(found),
        "folded_nodes": found.constants[0],
        "folded_elements": found.constants[1],
        "parameter_elements": found.elements(),
    }
    fields = ("model", "producer", "opset", "operators", "parameters", "unused", "warnings")
    rows |= {name: dataclasses.asdict(found)[name] for name in (*fields, "unreached")}
    rows |= {
        side: [{"name": name, "type": kind} for name, kind in getattr(found, side)]
        for side in ("inputs", "outputs")
    }
    rows["untied"] = [{"parameter": p, "initializer": i} for p, i in found.untied]
    rows["recipe"] = found.recipe or None
    return rows


def _reasons(found: Inspection) -> list[dict[str, Any]]:
    return [
        {"operator": op, "reason": reason, "nodes": nodes}
        for (op, reason), nodes in model_files.grouped(found.issues).items()
    ]


def _print(found: Inspection) -> None:
    console = Console(soft_wrap=True, highlight=False, markup=False)
    opset = f", opset {found.opset}" if found.opset is not None else ""
    console.print(_text(f"{found.model}: {found.producer or 'unknown producer'}{opset}"))
    for side in ("inputs", "outputs"):
        for name, kind in getattr(found, side):
            console.print(_text(f"{side[:-1]} {name}: {kind}"))
    if found.operators:
        console.print(_operators(found))
    if found.parameters:
        console.print(_parameters(found))
    for line in _remarks(found):
        console.print(_text(line))


def _text(line: object) -> Text:
    return Text(model_files.safe_text(str(line)))


def _operators(found: Inspection) -> Table:
    table = Table("operator", "nodes", "folded into constants", "not supported")
    for column in table.columns[1:]:
        column.justify = "right"
    for op in found.operators:
        table.add_row(
            _text(op.name), *(str(n or "") for n in (op.nodes, op.folded, op.unsupported))
        )
    return table


def _parameters(found: Inspection) -> Table:
    table = Table("parameter", "role", "shape", "kind", "tied")
    for param in found.parameters:
        shape = " x ".join(map(str, param.shape))
        tied = f"{param.readers} readers" if param.readers > 1 else ""
        table.add_row(_text(param.name), param.role, shape, param.kind, tied)
    return table


def _remarks(found: Inspection) -> list[str]:
    nodes, made = found.constants
    sums = ", ".join(f"{count:,} {kind}" for kind, count in found.elements().items())
    lines = [f"parameters: {sums}"] if found.parameters else []
    if nodes:
        lines.append(f"folded: {nodes} nodes into {made:,} constant elements")
    lines += _first([f"untied: {p} got its own copy of {i}" for p, i in found.untied])
    lines += _first(
        [
            f"not reached: initializer {row.initializer}, behind the unsupported op {row.op} "
            f"{row.node!r}"
            for row in found.unreached
        ]
    )
    lines += _first([f"unused: initializer {name}" for name in found.unused])
    lines += [f"warning: {line}" for line in found.warnings]
    lines += [
        f"not supported: {row['operator']} {', '.join(map(repr, row['nodes']))}: {row['reason']}"
        for row in _reasons(found)
    ]
    lines += [f"error: {found.error}"] if found.error else []
    if found.recipe and not any(found.recipe in line for line in lines):
        lines.append(f"to export a PyTorch model for training: {found.recipe}")
    return lines


def _first(lines: list[str]) -> list[str]:
    rest = len(lines) - MOST_LINES
    return lines if rest <= 0 else [*lines[:MOST_LINES], f"and {rest} more (--json has them all)"]
