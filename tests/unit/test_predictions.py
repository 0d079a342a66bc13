"""Predictions: the figures of a plan that was not made are those of the plan that is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import pyhpmp
from pyhpmp import _core
from pyhpmp.errors import InfeasiblePlanError, InvalidArgumentError
from pyhpmp.figures import figures
from pyhpmp.partitioners.problem import Ints32
from pyhpmp.strategies import BASELINES

SLOW_LINK = {"link_bytes_per_second": 1e8, "rank_speed": [1.0, 0.5, 2.0]}

# By claim: network, its options, ranks, grid, machine.
CASES: dict[str, tuple[str, int | None, int, dict[str, Any], dict[str, Any]]] = {
    "skips": ("resnet20", None, 2, {"batch": 32, "shards": 4, "bn_group": 8}, {}),
    "shared statistics": (
        "resnet20",
        None,
        4,
        {"batch": 32, "shards": 8, "bn_group": 8, "bn_sync": True},
        {},
    ),
    "branches, unequal ranks": ("squeezenet", 64, 3, {"batch": 24, "shards": 6}, SLOW_LINK),
    "concatenations": (
        "densenet121",
        64,
        3,
        {"batch": 12, "shards": 3, "bn_group": 4, "most_blocks": 6},
        {},
    ),
    "depthwise": (
        "mobilenet_v2",
        64,
        4,
        {"batch": 16, "shards": 8, "bn_group": 16, "bn_sync": True, "most_blocks": 8},
        {},
    ),
    "dense": ("alexnet", 32, 4, {"batch": 16, "shards": 8, "most_blocks": 8}, {}),
    "two arrays of an optimizer": (
        "resnet20",
        None,
        3,
        {"batch": 24, "shards": 3, "bn_group": 8, "optimizer": "adamw"},
        {},
    ),
    "inference": (
        "googlenet",
        64,
        3,
        {"batch": 6, "shards": 3, "most_blocks": 6, "training": False},
        {},
    ),
}


def placements(h: _core.Hypergraph, ranks: int) -> Iterator[tuple[str, Ints32]]:
    for name in BASELINES:
        try:
            yield name, h.baseline(name, ranks)
        except InfeasiblePlanError:
            continue
    yield "random", np.random.default_rng(7).integers(0, ranks, h.cells).astype(np.int32)
    yield "searched", h.search(ranks, work=1_000_000, keep=1)[0]


def case(claim: str) -> tuple[_core.Hypergraph, int, dict[str, Any]]:
    network, image, ranks, grid, machine = CASES[claim]
    graph = pyhpmp.load(f"zoo:{network}", image=image).core.prepare(
        training=grid.get("training", True)
    )
    return _core.Hypergraph(graph, **grid), ranks, machine


@pytest.mark.parametrize("claim", CASES)
def test_a_prediction_has_the_figures_of_the_plan(claim: str) -> None:
    h, ranks, machine = case(claim)
    for name, part in placements(h, ranks):
        predicted = h.predict(part, ranks, machine)
        plan = _core.Plan.build(h, part, ranks, name, machine)
        made = figures(plan, machine)
        exact = ("messages", "activation_elems", "parameter_elems", "imbalance", "step_seconds")
        for field in (*exact, "bubble_fraction"):
            assert getattr(predicted, field) == getattr(made, field), (name, field)
        # Sums of the same times in another order.
        assert predicted.compute_seconds == pytest.approx(made.compute_seconds, rel=1e-9)
        assert predicted.network_seconds == pytest.approx(made.network_seconds, rel=1e-9)


@pytest.mark.parametrize("claim", CASES)
def test_predicted_memory_is_what_lives_at_once_in_the_plan(claim: str) -> None:
    h, ranks, machine = case(claim)
    for name, part in placements(h, ranks):
        plan = _core.Plan.build(h, part, ranks, name, machine)
        lives = [
            plan.rank(rank).param_bytes + int(plan.program(rank).live_bytes.max(initial=0))
            for rank in range(ranks)
        ]
        assert h.predict(part, ranks, machine).memory_bytes == lives, name


@pytest.mark.parametrize("claim", CASES)
def test_an_arena_needs_little_more_than_what_lives_at_once(claim: str) -> None:
    h, ranks, machine = case(claim)
    for name, part in placements(h, ranks):
        plan = _core.Plan.build(h, part, ranks, name, machine)
        for rank in range(ranks):
            live = int(plan.program(rank).live_bytes.max(initial=0))
            assert live <= plan.rank(rank).arena_bytes <= 1.15 * live + 64 * 1024, (name, rank)


def test_a_part_outside_the_ranks_is_refused() -> None:
    h, _, _ = case("skips")
    with pytest.raises(InvalidArgumentError, match="parts are 0 to 1"):
        h.predict(np.full(h.cells, 2, np.int32), 2, {})
