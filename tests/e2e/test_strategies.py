"""One curve, whatever the plan: every strategy and number of ranks trains as one rank does, and
sends exactly what the hypergraph's metric says."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

import pyhpmp
from pyhpmp import data, local
from pyhpmp.commands.schedule import Schedule

STEPS = 20
BATCH = 48  # divisible by 1, 2, 3 and 4 ranks
BN_GROUP = 4
TOLERANCE = 1e-5
RECIPE = Schedule("cosine", lr=0.1, steps=220, warmup=22)  # hpmp-run's defaults on digits


def curve(ranks: int, strategy: str) -> list[float]:
    """Losses of the first steps of resnet20 on digits; checks what was sent on the way."""

    def work(rank: int) -> list[float]:
        graph = pyhpmp.load("zoo:resnet20")
        digits = data.load("digits", graph.input_shape, graph.classes)
        order = data.shuffled(len(digits.train), seed=0, epoch=0)
        plan = pyhpmp.plan(graph, batch=BATCH, strategy=strategy, bn_group=BN_GROUP)
        trainer = pyhpmp.Trainer(plan, threads=1)
        losses = []
        for step in range(STEPS):
            trainer.optimizer = pyhpmp.SGD(RECIPE.rate(step), momentum=0.9, weight_decay=5e-4)
            chosen = order[step * BATCH : (step + 1) * BATCH]
            losses.append(trainer.step(*digits.batch(digits.train, chosen)))
        assert trainer.engine.bytes_sent() == STEPS * plan.volume_bytes
        return losses

    results = local.run(ranks, work)
    assert all(result == results[0] for result in results)
    return results[0]


@lru_cache
def one_rank() -> tuple[float, ...]:
    return tuple(curve(1, "data"))


@pytest.mark.parametrize("ranks", [2, 3, 4])
@pytest.mark.parametrize("strategy", ["data", "layer", "filter", "owt", "hypergraph"])
def test_the_loss_curve_is_that_of_one_rank(strategy: str, ranks: int) -> None:
    found, expected = np.array(curve(ranks, strategy)), np.array(one_rank())
    worst = np.max(np.abs(found - expected) / expected)
    assert worst <= TOLERANCE, f"step {np.argmax(np.abs(found - expected) / expected)}: {worst:.1e}"


def test_the_same_plan_repeats_bit_for_bit() -> None:
    assert curve(2, "hypergraph") == curve(2, "hypergraph")
