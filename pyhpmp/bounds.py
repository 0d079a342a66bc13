"""What a plan's step cannot be shorter than: its busiest rank's work, its busiest link's bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pyhpmp import _core
from pyhpmp.strategies import ELEMENT_BYTES

COMPUTE = ("FWD", "BWD", "UPDATE")


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
    elems = [
        np.bincount(ends, table.elems, plan.ranks).max(initial=0)
        for ends in (table.sender, table.receiver)
    ]
    rate: float = (_core.default_speeds() | dict(machine))["link_bytes_per_second"]
    return float(max(elems)) * ELEMENT_BYTES / rate
