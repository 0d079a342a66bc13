"""A training step as predicted and as measured: in all, by kind of instruction, by kind of op."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pyhpmp import SGD, Plan, Trainer, world
from pyhpmp.bench.summary import median, summary

WARM_UP = 2
LEAST_STEPS = 3
TASKS = ("FWD", "BWD")
RATE = 1e-4  # small: the loss of random labels must stay finite

Seconds = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """Seconds of one kind of instruction in a step: of the rank with most of it."""

    kind: str
    op: str
    predicted: float
    measured: float

    def as_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "op": self.op,
            "predicted_seconds": self.predicted,
            "measured_seconds": self.measured,
            "error": error_of(self.predicted, self.measured),
        }


@dataclass(frozen=True)
class StepTiming:
    """seconds: of every step, the slowest rank's. rows: by kind and op, most time first.

    cpu_seconds: processor time of every step, of the rank with most of it: beside `seconds` it
    shows what other programs took from a rank, and with one rank what the step costs without them.
    """

    predicted: float
    seconds: tuple[float, ...]
    cpu_seconds: tuple[float, ...]
    rows: tuple[Row, ...]

    @property
    def error(self) -> float:
        """Of the predicted step time, relative to the measured one."""
        return error_of(self.predicted, median(self.seconds)) or 0.0

    def as_dict(self) -> dict[str, Any]:
        return {
            "step_seconds": summary(self.seconds) | {"predicted": self.predicted},
            "cpu_seconds": summary(self.cpu_seconds),
            "error": self.error,
            "instructions": [row.as_dict() for row in self.rows],
        }


def error_of(predicted: float, measured: float) -> float | None:
    return predicted / measured - 1 if measured > 0 else None


def timed_steps(
    plan: Plan,
    *,
    steps: int,
    seconds: float,
    threads: int,
    seed: int,
    device: str = "auto",
    numerics: str = "fp32",
) -> StepTiming:
    """Runs training steps on random images until `steps` or `seconds` are over. Collective."""
    trainer = Trainer(
        plan,
        SGD(lr=RATE),
        seed=seed,
        threads=threads,
        trace=True,
        device=device,
        numerics=numerics,
    )
    generator = np.random.default_rng(seed)
    shape = (plan.batch, *plan.graph.input_shape)
    images = generator.standard_normal(shape, dtype=np.float32)
    labels = generator.integers(0, plan.graph.classes, plan.batch)
    walls: list[float] = []
    cpus: list[float] = []
    traces: list[Seconds] = []
    for step in range(WARM_UP + steps):
        wall, cpu = _step(trainer, images, labels)
        if step < WARM_UP:
            continue
        walls.append(wall)
        cpus.append(cpu)
        _, start, end = trainer.engine.core.trace()
        traces.append(end - start)
        if len(walls) >= LEAST_STEPS and sum(walls) > seconds:
            break
    measured = np.median(np.array(traces), axis=0)
    rows = _rows(world.current().gather(_by_kind(plan, measured)))
    return StepTiming(plan.core.step_seconds, tuple(walls), tuple(cpus), rows)


def _step(trainer: Trainer, images: object, labels: object) -> tuple[float, float]:
    """Seconds of the slowest rank, and the most processor time of one; the ranks begin together."""
    ranks = world.current()
    ranks.gather(None)
    began, ran = time.perf_counter(), time.process_time()
    trainer.step(images, labels)
    taken = time.perf_counter() - began, time.process_time() - ran
    walls, cpus = zip(*ranks.gather(taken), strict=True)
    return max(walls), max(cpus)


Sums = dict[tuple[str, str], tuple[float, float]]


def _by_kind(plan: Plan, measured: Seconds) -> Sums:
    """This rank's (predicted, measured) seconds by kind and op."""
    rank = world.current().rank
    start, end = plan.core.times(rank)
    ops = {group.name: group.op for group in plan.groups}
    sums: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    labels = plan.core.labels(plan.prepared, rank)
    for label, expected, found in zip(labels, end - start, measured, strict=True):
        kind, _, rest = label.partition(" ")
        op = ops.get(rest.rsplit(" shard ", 1)[0], "") if kind in TASKS else ""
        sums[kind, op][0] += float(expected)
        sums[kind, op][1] += float(found)
    return {key: (pair[0], pair[1]) for key, pair in sums.items()}


def _rows(by_rank: list[Sums]) -> tuple[Row, ...]:
    keys = {key for sums in by_rank for key in sums}
    rows = [
        Row(*key, *(max(sums.get(key, (0.0, 0.0))[i] for sums in by_rank) for i in (0, 1)))
        for key in keys
    ]
    return tuple(sorted(rows, key=lambda row: (-row.measured, row.kind, row.op)))
