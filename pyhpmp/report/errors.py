"""How far the prediction was off: per kind of instruction, all ranks together, and in all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pyhpmp import _core
from pyhpmp.plans import Plan
from pyhpmp.report.measured import Measured


@dataclass(frozen=True)
class KindError:
    """Seconds of one kind of instruction in the last step, summed over ranks."""

    name: str
    count: int
    predicted: float
    measured: float


def step_error(plan: Plan, measured: Measured) -> float | None:
    """Predicted over measured (median) minus one."""
    median = measured.median
    return plan.core.step_seconds / median - 1 if median else None


def kind_errors(plan: Plan, measured: Measured) -> list[KindError]:
    """A line for every kind that the plan has."""
    kinds = len(_core.INSTRUCTIONS)
    count, predicted, took = np.zeros(kinds), np.zeros(kinds), np.zeros(kinds)
    for rank, (index, begin, done) in enumerate(measured.traces):
        kind, (start, end) = plan.core.program(rank).kind, plan.core.times(rank)
        count += np.bincount(kind, minlength=kinds)
        predicted += np.bincount(kind, end - start, kinds)
        took += np.bincount(kind[index], done - begin, kinds)
    return [
        KindError(name, int(count[k]), float(predicted[k]), float(took[k]))
        for k, name in enumerate(_core.INSTRUCTIONS)
        if count[k]
    ]
