"""The choice among candidates: by predictions, until the one that is chosen is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

import pyhpmp
from pyhpmp import _core, planning
from pyhpmp.candidates import Candidate
from pyhpmp.errors import InfeasiblePlanError
from pyhpmp.figures import figures, memory_bytes
from pyhpmp.request import Request

REQUEST = Request(ranks=2, batch=256, seconds=0.2, patience=200)


@pytest.fixture(scope="module")
def network() -> _core.Graph:
    return pyhpmp.load("zoo:lenet5").core.prepare(training=True)


def test_only_the_chosen_plan_is_made(
    network: _core.Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Candidate] = []
    monkeypatch.setattr(Candidate, "_build", _noting(made))
    plan, compared = planning.choose(network, REQUEST)
    assert len(compared.strategies) > 4
    assert [candidate.name for candidate in made] == [plan.strategy]


def _noting(made: list[Candidate]) -> Callable[[Candidate], _core.Plan]:
    build = Candidate._build

    def noted(candidate: Candidate) -> _core.Plan:
        made.append(candidate)
        return build(candidate)

    return noted


def test_the_row_of_the_chosen_strategy_is_that_of_its_plan(network: _core.Graph) -> None:
    plan, compared = planning.choose(network, REQUEST)
    row, own = compared.row(compared.chosen), figures(plan, {})
    assert row is not None
    assert row.memory_bytes == own.memory_bytes
    assert row.step_seconds == own.step_seconds
    assert row.total_bytes == own.activation_bytes + own.parameter_bytes


def test_finer_grids_are_tried_where_no_coarse_one_fits(network: _core.Graph) -> None:
    roomy, _ = planning.choose(network, replace(REQUEST, strategy="data", shards=2))
    limit = max(memory_bytes(roomy)) // 2
    plan, _ = planning.choose(network, replace(REQUEST, strategy="data", memory_bytes=limit))
    assert plan.shards > 2
    assert max(memory_bytes(plan)) <= limit


@pytest.mark.parametrize("recompute", ["auto", "never"])
def test_a_limit_that_only_an_arenas_holes_exceed_is_kept(
    network: _core.Graph, recompute: str
) -> None:
    request = replace(REQUEST, strategy="owt", shards=4, recompute=recompute)
    plan, _ = planning.choose(network, request)
    lives = [
        plan.rank(rank).param_bytes + int(plan.program(rank).live_bytes.max()) for rank in (0, 1)
    ]
    assert max(lives) < max(memory_bytes(plan)), "the arena has holes"
    smaller, _ = planning.choose(network, replace(request, memory_bytes=max(lives)))
    assert max(memory_bytes(smaller)) <= max(lives)


def test_what_fits_no_rank_is_refused(network: _core.Graph) -> None:
    request = replace(REQUEST, strategy="owt", shards=4)
    plan, _ = planning.choose(network, request)
    with pytest.raises(InfeasiblePlanError, match="'owt'"):
        planning.choose(network, replace(request, memory_bytes=max(memory_bytes(plan)) // 3))
