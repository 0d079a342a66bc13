"""How strategies compare: the figures of each, as a table and as JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

BASELINES = ("data", "layer", "filter", "owt")


@dataclass(frozen=True)
class Strategy:
    """Predictions for one strategy; None where it has no plan on this grid.

    compute_seconds, network_seconds: what its busiest rank and its busiest link alone would take.
    refusal: why it has no plan or does not fit; "" where it does.
    """

    name: str
    activation_bytes: int | None = None
    parameter_bytes: int | None = None
    imbalance: float | None = None
    memory_bytes: list[int] | None = None
    step_seconds: float | None = None
    bubble_fraction: float | None = None
    feasible: bool = False
    compute_seconds: float | None = None
    network_seconds: float | None = None
    refusal: str = ""

    @property
    def total_bytes(self) -> int | None:
        if self.activation_bytes is None or self.parameter_bytes is None:
            return None
        return self.activation_bytes + self.parameter_bytes

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "volume_bytes": {
                "activations": self.activation_bytes,
                "parameters": self.parameter_bytes,
                "total": self.total_bytes,
            },
            "imbalance": self.imbalance,
            "memory_bytes": self.memory_bytes,
            "step_seconds": self.step_seconds,
            "bubble_fraction": self.bubble_fraction,
            "feasible": self.feasible,
            "compute_seconds": self.compute_seconds,
            "network_seconds": self.network_seconds,
            "refusal": self.refusal or None,
        }


@dataclass(frozen=True)
class Comparison:
    """chosen: the strategy of the plan; strategies: it and every baseline.

    data_parallel_crossover_batch: see `crossover_batch`; None where there is nothing to compare.
    """

    chosen: str
    strategies: list[Strategy] = field(default_factory=list)
    data_parallel_crossover_batch: int | None = None

    def row(self, name: str) -> Strategy | None:
        return next((row for row in self.strategies if row.name == name), None)

    def against_data(self) -> float | None:
        """Volume saved against data parallelism, as a share of its volume; None if unknown."""
        chosen, data = self.row(self.chosen), self.row("data")
        if chosen is None or data is None or not data.total_bytes or chosen.total_bytes is None:
            return None
        return 1 - chosen.total_bytes / data.total_bytes


def crossover_batch(data: int, activations: int, parameters: int, batch: int) -> int | None:
    """The least global batch at which data parallelism moves no more than another placement.

    The volume of data parallelism does not depend on the batch; that of a placement kept as it is
    grows as activations * b / batch + parameters, with both figures taken at `batch`.

    Returns:
        The batch; 0 where data parallelism moves no more at any batch; None where it never wins,
        because the placement moves no activations.
    """
    if data <= parameters:
        return 0
    if activations == 0:
        return None
    return math.ceil((data - parameters) * batch / activations)
