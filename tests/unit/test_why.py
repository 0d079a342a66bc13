"""Why a plan won: the sentences name what holds each strategy up."""

from __future__ import annotations

from typing import Any

import pyhpmp
from pyhpmp.figures import compute_seconds, network_seconds
from pyhpmp.report.why import bound, reasons
from pyhpmp.request import Request
from pyhpmp.strategies import Comparison, Strategy


def row(name: str, step: float, compute: float, network: float, **figures: Any) -> Strategy:
    figures = {"imbalance": 0.0, "activation_bytes": 10, "parameter_bytes": 10} | figures
    return Strategy(
        name,
        step_seconds=step,
        compute_seconds=compute,
        network_seconds=network,
        bubble_fraction=1 - compute / step,
        feasible=figures.pop("feasible", True),
        **figures,
    )


WINNER = row("hypergraph", 1.0, 0.95, 0.3)
ROWS = [
    WINNER,
    row("data", 4.0, 0.9, 3.9),
    row("layer", 2.0, 0.95, 0.1),
    row("filter", 2.0, 1.9, 0.1, imbalance=1.0),
    row("owt", 3.0, 1.0, 0.1, feasible=False),
]


def test_each_rival_is_explained_by_what_it_loses_its_time_to() -> None:
    said = reasons(Comparison("hypergraph", ROWS), Request(4, 128))
    assert said[0].startswith("hypergraph is held up by its compute")
    assert "data (4x), for its network (the busiest link carries messages for 3.9 s)" in said[1]
    assert "layer (2x), for its bubbles (ranks idle 52.5% of the step)" in said[1]
    assert "filter (2x), for more work on its busiest rank (1.9 s, 100.0% above average)" in said[1]
    assert "owt" not in " ".join(said)


def test_strategies_predicted_alike_are_not_called_slower() -> None:
    said = reasons(
        Comparison("data", [row("data", 1, 1, 0), row("owt", 1.001, 1, 0)]), Request(2, 8)
    )
    assert len(said) == 1
    assert said[0].endswith("within 0.5% of it: owt.")


def test_the_volume_objective_compares_bytes_and_names_the_faster_plan() -> None:
    rows = [
        row("hypergraph", 3.0, 1.0, 0.1),
        *ROWS[1:4],
        row("owt", 1.0, 1.0, 0.1, activation_bytes=99),
    ]
    said = reasons(Comparison("hypergraph", rows), Request(4, 128, objective="volume"))
    assert "sends 20 B a step, the least of the plans within 3.0% imbalance" in said[0]
    assert "For time, owt would be better (1 s a step against 3 s)" in said[1]


def test_a_strategy_that_was_asked_for_is_compared_with_the_fastest() -> None:
    said = reasons(Comparison("layer", [ROWS[2], *ROWS[:2]]), Request(4, 128, strategy="layer"))
    assert said == [
        "layer was asked for and is held up by its bubbles (ranks idle 52.5% of the step); "
        "hypergraph is predicted 2x as fast."
    ]


def test_nothing_is_said_where_nothing_can_be_compared() -> None:
    assert reasons(Comparison("data", [ROWS[1]]), Request(1, 8)) == []


def test_the_bounds_of_data_parallelism_are_its_work_and_the_weights_on_the_link() -> None:
    graph = pyhpmp.load("zoo:lenet5")
    plan = pyhpmp.plan(graph, ranks=2, batch=64, strategy="data", network="8Mbit")
    assert network_seconds(plan.core, plan.request.machine) >= 61_706 * 4 / 1e6
    assert 0 < compute_seconds(plan.core) < plan.core.step_seconds
    named = plan.comparison.row("data")
    assert named is not None
    assert "network" in bound(named)
