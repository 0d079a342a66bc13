"""Three training steps of a plan on threads of this process, and how far from one rank's they end.

Compared are the losses and what the steps did to every parameter and running statistic. So that a
difference is a plan's and not chaos, networks with batch-norm have their channels shifted off the
kink of the ReLUs, and the learning rate is one at which a step lowers the loss by about a percent.
Without batch-norm there is no such shift: now and then the last bit of a sum turns one unit on, or
makes another one the largest of its window, which moves every gradient before it by about
1 / sqrt(units of its layer in the batch), at random. There the losses are the sharper test: an
error of a few thousandths along the gradient moves the later ones by more than 1e-5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import pyhpmp
from pyhpmp import local
from pyhpmp.plans import Plan

STEPS = 3
LOSS_TOLERANCE = 1e-5  # that of tests/e2e/test_strategies.py
UPDATE_TOLERANCE = 1e-4  # that of the gradients in tests/e2e/test_torch_parity.py
KINKED_TOLERANCE = 0.2  # the same where units may turn on; 6e-2 was traced to a few such units
REORDERED = 3  # times what another order of sums does on one rank is allowed beside it
EPSILON = 2.0**-23
DESCENT = 0.01  # of the loss, by one step
PATIENCE = 3600.0  # seconds: more ranks than cores wait for each other
MOMENTUM, WEIGHT_DECAY = 0.9, 5e-4
ON = {False: (5.0, 5.0, 5.0, -5.0), True: (3.0, 3.0, 11.0, -5.0)}  # shifts; True: bounded above

Params = dict[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Trained:
    """losses: of the steps. params: on rank 0 after the last. sent: bytes counted in all steps."""

    losses: list[float]
    params: Params
    sent: int


@dataclass(frozen=True)
class Reference:
    """What one rank makes of a model, in two orders of sums."""

    graph: pyhpmp.Graph
    rate: float
    first: Trained
    second: Trained

    @property
    def tolerance(self) -> float:
        """Of an update, relative."""
        return UPDATE_TOLERANCE if normalised(self.graph) else KINKED_TOLERANCE


def normalised(graph: pyhpmp.Graph) -> bool:
    return any(node.shape.op == "BatchNormalization" for node in graph.core.nodes)


def off_the_kink(graph: pyhpmp.Graph) -> None:
    """Moves the channels of batch-norms where no rounding decides whether a gradient passes."""
    shifts = ON[any(node.shape.op == "Clip" for node in graph.core.nodes)]
    for info in graph.core.params:
        if info.role == "scale":
            graph.params[info.name][...] = 0.5
        if info.role == "shift":
            graph.params[info.name][...] = np.take(shifts, np.arange(info.dims[0]) % 4)


def samples(graph: pyhpmp.Graph, batch: int) -> tuple[Any, Any]:
    random = np.random.default_rng(1)
    images = random.standard_normal((batch, *graph.input_shape), dtype=np.float32)
    return images, random.integers(0, graph.classes, batch)


def one_rank(graph: pyhpmp.Graph, batch: int, bn_group: int, shards: int) -> Plan:
    return pyhpmp.plan(
        graph, ranks=1, batch=batch, bn_group=bn_group, shards=shards, strategy="hypergraph"
    )


def shards_of_one_rank(batch: int, bn_group: int) -> tuple[int, int]:
    """The two orders in which one rank sums; the most shards need the least memory."""
    most = batch // bn_group
    return most, max(most // 2, 1)


def reference(graph: pyhpmp.Graph, batch: int, bn_group: int, threads: int) -> Reference:
    plans = [one_rank(graph, batch, bn_group, s) for s in shards_of_one_rank(batch, bn_group)]
    rate = gentle_rate(plans[0], threads)
    first, second = (trained(plan, graph.params, rate, threads) for plan in plans)
    return Reference(graph, rate, first, second)


def gentle_rate(plan: Plan, threads: int) -> float:
    """The learning rate at which the gradient promises `DESCENT` of the loss."""
    trainer = pyhpmp.Trainer(plan, pyhpmp.SGD(lr=0.0), threads=threads)
    loss = trainer.step(*samples(plan.graph, plan.batch))
    steepness = sum(float(np.vdot(g, g)) for g in trainer.engine.grads().values())
    return DESCENT * loss / steepness


def trained(plan: Plan, params: Params, rate: float, threads: int) -> Trained:
    images, labels = samples(plan.graph, plan.batch)

    def work(rank: int) -> Trained:
        sgd = pyhpmp.SGD(rate, MOMENTUM, WEIGHT_DECAY)
        given = params if rank == 0 else {}
        trainer = pyhpmp.Trainer(plan, sgd, params=given, threads=threads, timeout=PATIENCE)
        losses = [trainer.step(images, labels) for _ in range(STEPS)]
        return Trained(losses, trainer.params(), trainer.bytes_sent())

    return local.run(plan.ranks, work)[0]


def deviations(found: Trained, expected: Reference) -> dict[str, Any]:
    """Of the losses, and of the parameter that is farthest beyond what it may be."""
    first = expected.first
    losses = np.abs(np.subtract(found.losses, first.losses)) / np.abs(first.losses)
    excess = {name: _excess(name, found, expected) for name in first.params}
    worst = max(excess, key=lambda name: excess[name])
    matched = losses.max() <= LOSS_TOLERANCE and excess[worst] <= 1
    return {
        "status": "matched" if matched else "mismatched",
        "losses": found.losses,
        "loss_deviation": float(losses.max()),
        "worst_parameter": worst,
        "worst_of_allowed": excess[worst],
    }


def _excess(name: str, found: Trained, expected: Reference) -> float:
    """Distance between two ends over the distance allowed; above 1 is a mismatch."""
    start, end = expected.graph.params[name], expected.first.params[name]
    distance = np.linalg.norm(found.params[name] - end)
    allowed = expected.tolerance * np.linalg.norm(end - start)
    allowed += REORDERED * np.linalg.norm(expected.second.params[name] - end)
    allowed += STEPS * EPSILON * np.linalg.norm(start)
    return float(distance / allowed) if distance else 0.0
