"""Activations computed twice: the same training in less memory, where a limit asks for it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import pyhpmp
from pyhpmp import local
from pyhpmp.commands import plan as plan_command
from pyhpmp.errors import InfeasiblePlanError, InvalidArgumentError
from pyhpmp.figures import memory_bytes

STEPS = 4
GIB = 2**30

Trained = tuple[list[float], dict[str, np.ndarray], int, int]


def trained(ranks: int, recompute: str) -> Trained:
    """Losses of some steps, the weights, groups computed twice and the most bytes of a rank."""
    random = np.random.default_rng(3)
    images = random.standard_normal((STEPS, 16, 3, 32, 32), np.float32)
    labels = random.integers(0, 10, (STEPS, 16))

    def work(_: int) -> Trained:
        graph = pyhpmp.load("zoo:resnet20")
        plan = pyhpmp.plan(graph, batch=16, strategy="data", bn_group=8, recompute=recompute)
        trainer = pyhpmp.Trainer(plan, pyhpmp.SGD(lr=0.01, momentum=0.9, weight_decay=1e-3))
        losses = [trainer.step(images[step], labels[step]) for step in range(STEPS)]
        assert trainer.bytes_sent() == plan.volume_bytes * STEPS
        return losses, trainer.params(), plan.recomputed()[0], max(memory_bytes(plan.core))

    return local.run(ranks, work)[0]


def test_one_rank_trains_bit_by_bit_as_without() -> None:
    losses, params, none, most = trained(1, "never")
    again, same, groups, less = trained(1, "always")
    assert (none, groups > 0, less < most) == (0, True, True)
    assert again == losses
    for name, array in params.items():
        np.testing.assert_array_equal(same[name], array, err_msg=name)


def test_two_ranks_train_as_without() -> None:
    losses, *_ = trained(2, "never")
    again, _, groups, _ = trained(2, "always")
    assert groups > 0
    np.testing.assert_allclose(again, losses, rtol=1e-5)  # float32


def plan_within(model: str, share: float, recompute: str, batch: int, ranks: int) -> pyhpmp.Plan:
    """With a share of the memory that a plan without a limit needs."""
    graph = pyhpmp.load(f"zoo:{model}")
    asked: dict[str, Any] = {"ranks": ranks, "batch": batch, "strategy": "data"}
    freely = pyhpmp.plan(graph, **asked)
    most = max(memory_bytes(freely.core))
    return pyhpmp.plan(graph, **asked, memory=most * share / GIB, recompute=recompute)


@pytest.mark.parametrize(
    ("model", "batch", "ranks", "share"),
    [
        ("resnet18", 64, 1, 0.5),
        ("densenet121", 32, 1, 0.5),
        ("mobilenet_v2", 64, 1, 0.5),
        ("mobilenet_v2", 64, 2, 0.5),
        ("vgg16", 16, 1, 0.93),  # 1.6 of 2.3 GB are for parameters
    ],
)
def test_a_limit_that_keeping_all_would_break_is_kept(
    model: str, batch: int, ranks: int, share: float
) -> None:
    plan = plan_within(model, share, "auto", batch, ranks)
    groups, seconds = plan.recomputed()
    assert max(memory_bytes(plan.core)) <= plan.request.memory_bytes
    assert groups > 0
    assert seconds < plan.core.step_seconds / 3
    assert plan.as_dict()["recomputed"] == {"groups": groups, "seconds": seconds}
    assert "twice, to keep less" in plan.summary()
    try:
        keeping = plan_within(model, share, "never", batch, ranks)
    except InfeasiblePlanError:
        return
    assert plan.core.step_seconds <= keeping.core.step_seconds


def test_without_a_limit_nothing_is_computed_twice() -> None:
    graph = pyhpmp.load("zoo:resnet20")
    plan = pyhpmp.plan(graph, ranks=2, batch=64, strategy="data")
    assert plan.recomputed() == (0, 0.0)
    assert "twice" not in plan.summary()


def test_an_unknown_choice_is_refused() -> None:
    graph = pyhpmp.load("zoo:resnet20")
    with pytest.raises(InvalidArgumentError, match="unknown recompute 'some'; use one of auto"):
        pyhpmp.plan(graph, ranks=1, batch=8, recompute="some")


def test_the_command_tells_how_much(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["zoo:resnet20", "-n", "1", "--batch", "64", "--recompute", "always", "--json"]
    assert plan_command.main(words) == 0
    said = json.loads(capsys.readouterr().out)["recomputed"]
    assert said["groups"] > 0
    assert said["seconds"] > 0
