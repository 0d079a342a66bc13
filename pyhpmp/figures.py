"""A plan's figures, read from its programs: the same that a placement's prediction gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pyhpmp import _core
from pyhpmp.records import Prediction

COMPUTE = ("FWD", "BWD", "UPDATE", "REDO")


def figures(plan: _core.Plan, machine: Mapping[str, Any]) -> Prediction:
    """What `Hypergraph.predict` says of a placement, of a plan that is made.

    memory_bytes: of every rank's arena and parameters, where a prediction has no arena yet.
    """
    return Prediction(
        plan.messages,
        plan.activation_elems,
        plan.parameter_elems,
        plan.imbalance,
        plan.step_seconds,
        plan.bubble_fraction,
        compute_seconds(plan),
        network_seconds(plan, machine),
        plan.activation_bytes,
        plan.parameter_bytes,
        memory_bytes(plan),
    )


def memory_bytes(plan: _core.Plan) -> list[int]:
    """Bytes of every rank: its arena and its parameters."""
    infos = (plan.rank(rank) for rank in range(plan.ranks))
    return [info.arena_bytes + info.param_bytes for info in infos]


def recomputed(plan: _core.Plan) -> tuple[int, float]:
    """Groups whose forward runs twice, and the predicted seconds of that on the slowest rank."""
    again, groups, longest = _core.INSTRUCTIONS.index("REDO"), set(), 0.0
    for rank in range(plan.ranks):
        start, end = plan.times(rank)
        program = plan.program(rank)
        runs = program.kind == again
        groups |= set(program.group[runs].tolist())
        longest = max(longest, float((end - start)[runs].sum()))
    return len(groups), longest


def compute_seconds(plan: _core.Plan) -> float:
    """Predicted work of the rank that has most."""
    kinds = [_core.INSTRUCTIONS.index(name) for name in COMPUTE]
    busiest = 0.0
    for rank in range(plan.ranks):
        start, end = plan.times(rank)
        works = np.isin(plan.program(rank).kind, kinds)
        busiest = max(busiest, float((end - start)[works].sum()))
    return busiest


def network_seconds(plan: _core.Plan, machine: Mapping[str, Any]) -> float:
    """Time that the bytes of the busiest direction of a rank's link take, without latencies."""
    table = plan.message_table()
    sizes = [
        np.bincount(ends, table.bytes, plan.ranks).max(initial=0)
        for ends in (table.sender, table.receiver)
    ]
    rate: float = (_core.default_speeds() | dict(machine))["link_bytes_per_second"]
    return float(max(sizes)) / rate
