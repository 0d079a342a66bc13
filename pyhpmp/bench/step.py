"""A training step as predicted and as measured: in all, by kind of instruction, by kind of op."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pyhpmp import Plan, Trainer, world
from pyhpmp.bench.summary import median, summary
from pyhpmp.optimizers import usual

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

    host_seconds: in which a rank's host gave out the work of a step, of the rank with most of it.
    cpu_seconds: processor time of every step, of the rank with most of it: beside `seconds` it
    shows what other programs took from a rank, and with one rank what the step costs without them.
    """

    predicted: float
    seconds: tuple[float, ...]
    cpu_seconds: tuple[float, ...]
    host_seconds: tuple[float, ...]
    rows: tuple[Row, ...]

    @property
    def error(self) -> float:
        """Of the predicted step time, relative to the measured one."""
        return error_of(self.predicted, median(self.seconds)) or 0.0

    def as_dict(self) -> dict[str, Any]:
        return {
            "step_seconds": summary(self.seconds) | {"predicted": self.predicted},
            "cpu_seconds": summary(self.cpu_seconds),
            "host_seconds": summary(self.host_seconds),
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
    """Runs training steps on random images until `steps` or `seconds` are over. Collective.

    On a GPU the instructions are timed in steps of their own: it does one at a time then.
    """
    trainer = Trainer(
        plan,
        replace(usual(plan.core.optimizer), lr=RATE),
        seed=seed,
        threads=threads,
        device=device,
        numerics=numerics,
    )
    generator = np.random.default_rng(seed)
    shape = (plan.batch, *plan.graph.input_shape)
    images = generator.standard_normal(shape, dtype=np.float32)
    labels = generator.integers(0, plan.graph.classes, plan.batch)
    together = trainer.engine.device.kind == "cpu"
    found = _timed(trainer, images, labels, WARM_UP, steps, seconds, trace=together)
    traces = found.traces
    if not together:
        traces = _timed(trainer, images, labels, 1, LEAST_STEPS, seconds, trace=True).traces
    rows = _rows(world.current().gather(_by_kind(plan, np.median(np.array(traces), axis=0))))
    predicted = plan.core.step_seconds
    return StepTiming(predicted, tuple(found.walls), tuple(found.cpus), tuple(found.hosts), rows)


@dataclass
class _Found:
    """Of every step; traces: the seconds of its instructions."""

    walls: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)
    hosts: list[float] = field(default_factory=list)
    traces: list[Seconds] = field(default_factory=list)


def _timed(
    trainer: Trainer,
    images: object,
    labels: object,
    warm_up: int,
    steps: int,
    seconds: float,
    *,
    trace: bool,
) -> _Found:
    """Until `steps` or `seconds` are over, after some that do not count."""
    trainer.engine.core.set_trace(trace)
    found = _Found()
    for step in range(warm_up + steps):
        wall, cpu, host = _step(trainer, images, labels)
        if step < warm_up:
            continue
        found.walls.append(wall)
        found.cpus.append(cpu)
        found.hosts.append(host)
        if trace:
            _, start, end = trainer.engine.core.trace()
            found.traces.append(end - start)
        if len(found.walls) >= LEAST_STEPS and sum(found.walls) > seconds:
            break
    return found


def _step(trainer: Trainer, images: object, labels: object) -> tuple[float, float, float]:
    """Seconds of the slowest rank, and the most processor and host time of one.

    The ranks begin together.
    """
    ranks = world.current()
    ranks.gather(None)
    began, ran = time.perf_counter(), time.process_time()
    trainer.step(images, labels)
    taken = time.perf_counter() - began, time.process_time() - ran, trainer.host_seconds
    walls, cpus, hosts = zip(*ranks.gather(taken), strict=True)
    return max(walls), max(cpus), max(hosts)


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
