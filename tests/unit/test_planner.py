"""The planner's promises: no slower than classical strategies, repeatable, fair to speeds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import pyhpmp
import pyhpmp.local
from pyhpmp import _core, planning
from pyhpmp.request import DEFAULT_SECONDS, Request
from pyhpmp.strategies import BASELINES

SLOW_NETWORK = {"link_bytes_per_second": 4e6}


@pytest.fixture(scope="module")
def network() -> _core.Graph:
    return pyhpmp.load("zoo:resnet20").core.prepare(training=True)


def request(ranks: int, machine: dict[str, Any], **changes: Any) -> Request:
    wish: dict[str, Any] = {"batch": 64, "bn_group": 4, "machine": machine, "seconds": 1.0}
    return Request(ranks=ranks, **(wish | changes))


@pytest.mark.parametrize("ranks", [2, 3, 4])
def test_no_classical_strategy_is_predicted_faster_than_the_choice(
    network: _core.Graph, ranks: int
) -> None:
    batch = 72 if ranks == 3 else 64
    _, compared = planning.choose(network, request(ranks, SLOW_NETWORK, batch=batch, compare=True))
    chosen = compared.row(compared.chosen)
    assert chosen is not None
    assert chosen.step_seconds is not None
    for name in BASELINES:
        row = compared.row(name)
        assert row is None or row.step_seconds is None or chosen.step_seconds <= row.step_seconds


def test_a_slow_network_is_used_less_than_by_the_classical_strategies(
    network: _core.Graph,
) -> None:
    plan, compared = planning.choose(network, request(4, SLOW_NETWORK, compare=True))
    classical = [compared.row(name) for name in BASELINES]
    fastest = min(row.step_seconds for row in classical if row and row.step_seconds)
    assert plan.step_seconds < 0.95 * fastest


def test_the_same_seed_gives_the_same_plan(network: _core.Graph) -> None:
    wish = request(4, SLOW_NETWORK, seconds=20.0, patience=30.0, shards=8, batch=32)
    assert planning.choose(network, wish)[0].text() == planning.choose(network, wish)[0].text()


def test_twice_the_time_finds_nothing_slower(network: _core.Graph) -> None:
    wish = request(4, SLOW_NETWORK, patience=30.0, shards=4, batch=16)
    steps = [
        planning.choose(network, replace(wish, seconds=DEFAULT_SECONDS * turns))[0].step_seconds
        for turns in (1, 2)
    ]
    assert steps[1] <= steps[0]


@pytest.mark.parametrize("ranks", [2, 4])
def test_a_rank_of_half_the_speed_gets_less_work(network: _core.Graph, ranks: int) -> None:
    machine = {"rank_speed": [1.0] * (ranks - 1) + [0.5], "link_bytes_per_second": 10e9}
    plan, compared = planning.choose(network, request(ranks, machine, compare=True))
    equal = compared.row("data")
    assert equal is not None
    assert equal.step_seconds is not None
    assert equal.step_seconds >= 1.3 * plan.step_seconds


def test_where_the_network_is_so_slow_that_fewer_ranks_are_faster_some_stay_idle() -> None:
    graph = pyhpmp.load("zoo:lenet5")
    images = np.random.default_rng(0).standard_normal((8, 1, 32, 32), np.float32)
    labels = np.arange(8) % 10

    def loss(_: int) -> list[float]:
        plan = pyhpmp.plan(graph, batch=8, network="10Kbit/100ms", seconds=1.0)
        assert plan.volume_bytes == 0
        trainer = pyhpmp.Trainer(plan, optimizer=pyhpmp.SGD(lr=0.1))
        return [trainer.step(images, labels) for _ in range(3)]

    alone = pyhpmp.local.run(1, loss)[0]
    assert pyhpmp.local.run(2, loss) == [pytest.approx(alone, rel=1e-6)] * 2


def test_unknown_fields_of_a_machine_are_refused(network: _core.Graph) -> None:
    with pytest.raises(pyhpmp.InvalidArgumentError, match="a machine has no flops"):
        planning.choose(network, request(2, {"flops": 1.0}))
