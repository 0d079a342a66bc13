"""Training through the Python API on K ranks in this process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import tiny_network as tiny

import pyhpmp
from pyhpmp import local, world
from pyhpmp.errors import CommError, InvalidArgumentError

STEPS = 5


def trained(ranks: int, strategy: str) -> tuple[list[float], int, int, dict[str, np.ndarray]]:
    """Losses of some steps, bytes predicted and counted, and the trained weights."""

    def work(rank: int) -> tuple[list[float], int, int, dict[str, np.ndarray]]:
        plan = pyhpmp.plan(tiny.graph(rank), batch=16, strategy=strategy, bn_group=4)
        trainer = pyhpmp.Trainer(plan, pyhpmp.SGD(lr=0.1, momentum=0.9, weight_decay=1e-3))
        losses = [trainer.step(*tiny.batch(seed=step)) for step in range(STEPS)]
        return losses, plan.volume_bytes * STEPS, trainer.bytes_sent(), trainer.params()

    return local.run(ranks, work)[0]


@pytest.fixture(scope="module")
def alone() -> tuple[list[float], int, int, dict[str, np.ndarray]]:
    return trained(1, "auto")


@pytest.mark.parametrize(
    ("ranks", "strategy"),
    [
        (2, "auto"),
        (2, "data"),
        (2, "layer"),
        (2, "filter"),
        (2, "owt"),
        (2, "hypergraph"),
        (4, "auto"),
        (4, "data"),
        (4, "hypergraph"),
    ],
)
def test_the_loss_curve_and_weights_do_not_depend_on_ranks_or_strategy(
    alone: tuple[list[float], int, int, dict[str, np.ndarray]], ranks: int, strategy: str
) -> None:
    losses, predicted, counted, params = trained(ranks, strategy)
    np.testing.assert_allclose(losses, alone[0], rtol=1e-5)  # float32
    assert params.keys() == alone[3].keys()
    for name, array in params.items():
        np.testing.assert_allclose(array, alone[3][name], rtol=2e-4, atol=1e-5, err_msg=name)
    assert counted == predicted


def test_the_same_plan_repeats_bit_for_bit() -> None:
    first, second = trained(2, "hypergraph"), trained(2, "hypergraph")
    assert first[0] == second[0]
    assert all(np.array_equal(first[3][name], second[3][name]) for name in first[3])


def test_weights_that_are_not_kept_leave_rank_0_and_train_the_same() -> None:
    def work(rank: int) -> tuple[float, int]:
        graph = tiny.graph(rank)
        plan = pyhpmp.plan(graph, batch=16, strategy="filter")
        kept = pyhpmp.Trainer(plan, pyhpmp.SGD(lr=0.1)).step(*tiny.batch(seed=0))
        trainer = pyhpmp.Trainer(plan, pyhpmp.SGD(lr=0.1), keep_weights=False)
        return trainer.step(*tiny.batch(seed=0)) - kept, len(graph.params)

    assert local.run(2, work) == [(0.0, 0), (0.0, 0)]


def test_evaluation_pads_the_last_batch() -> None:
    plan = pyhpmp.plan(tiny.graph(), batch=16, bn_group=8)
    trainer = pyhpmp.Trainer(plan)
    images, labels = tiny.batch(21)
    loss, accuracy = trainer.evaluate(images, labels)
    scores = pyhpmp.Session(plan)(images).astype(np.float64)
    shifted = scores - scores.max(1, keepdims=True)
    expected = np.log(np.exp(shifted).sum(1)) - shifted[np.arange(21), labels]
    assert loss == pytest.approx(expected.mean(), rel=1e-5)
    assert accuracy == (scores.argmax(1) == labels).mean()


@pytest.mark.parametrize("ranks", [2, 4])
def test_a_session_gives_every_rank_the_outputs_of_one_rank(ranks: int) -> None:
    images, _ = tiny.batch(21)
    alone = pyhpmp.Session(pyhpmp.plan(tiny.graph(), batch=16, training=False))(images)

    def work(rank: int) -> np.ndarray:
        plan = pyhpmp.plan(tiny.graph(rank), batch=16, training=False)
        return pyhpmp.Session(plan)(images)

    for scores in local.run(ranks, work):
        np.testing.assert_allclose(scores, alone, rtol=1e-5, atol=1e-6)  # float32


def test_a_loss_that_is_not_finite_names_the_step_and_the_cure() -> None:
    trainer = pyhpmp.Trainer(pyhpmp.plan(tiny.graph(), batch=16), pyhpmp.SGD(lr=1e30))
    images, labels = tiny.batch()

    def run() -> None:
        for _ in range(20):
            trainer.step(images, labels)

    with pytest.raises(pyhpmp.DivergenceError, match=r"in step \d+ .* lower --lr") as caught:
        run()
    assert caught.value.exit_code == 2


def test_a_plan_for_more_ranks_than_run_is_refused_with_the_cure() -> None:
    plan = pyhpmp.plan(tiny.graph(), ranks=2, batch=16, bn_group=4)
    with pytest.raises(pyhpmp.InvalidArgumentError, match="mpiexec -n 2"):
        pyhpmp.Trainer(plan)


def test_a_missing_or_misshapen_weight_is_refused_on_every_rank() -> None:
    def work(rank: int) -> str:
        plan = pyhpmp.plan(tiny.graph(rank), batch=16, bn_group=4)
        params = tiny.params()
        params["head.w"] = params["head.w"][:5]
        with pytest.raises(pyhpmp.ModelError) as caught:
            pyhpmp.Trainer(plan, params=params)
        return str(caught.value)

    messages = local.run(2, work)
    assert messages[0] == messages[1]
    assert "head.w" in messages[0]


def test_a_failing_rank_ends_the_others_and_its_error_is_raised() -> None:
    def work(rank: int) -> float:
        plan = pyhpmp.plan(tiny.graph(rank), batch=16, bn_group=4)
        trainer = pyhpmp.Trainer(plan)
        if rank == 1:
            raise RuntimeError("rank 1 has had enough")
        return trainer.step(*tiny.batch())

    with pytest.raises(RuntimeError, match="had enough"):
        local.run(2, work)


def test_a_rank_waits_as_long_for_another_as_it_was_told() -> None:
    given_up = threading.Event()

    def work(rank: int) -> None:
        plan = pyhpmp.plan(tiny.graph(rank), batch=16, bn_group=4)
        trainer = pyhpmp.Trainer(plan, timeout=0.2)
        if rank == 1:
            given_up.wait()
        try:
            trainer.step(*tiny.batch())
        finally:
            given_up.set()

    with pytest.raises(CommError, match=r"waited 0\.2 s"):
        local.run(2, work)
    with pytest.raises(InvalidArgumentError, match="above 0"):
        pyhpmp.Trainer(pyhpmp.plan(tiny.graph(), batch=16), timeout=0.0)


def test_values_arrays_and_errors_travel_between_local_ranks() -> None:
    def work(rank: int) -> tuple[list[int], int, list[float]]:
        ranks = world.current()
        array = np.full(3, float(rank + 1))
        ranks.sum(array)
        kept = np.full(2, rank)
        ranks.broadcast_array(kept)
        with pytest.raises(ValueError, match="no"):
            ranks.on_root(lambda: int("no"))
        return ranks.gather(rank), int(kept.sum()), array.tolist()

    assert local.run(3, work) == [([0, 1, 2], 0, [6.0, 6.0, 6.0])] * 3


ONE_THREAD = """
import os
import tiny_network as tiny
import pyhpmp
plan = pyhpmp.plan(tiny.graph(), batch=16, bn_group=4)
before = len(os.listdir("/proc/self/task"))
trainer = pyhpmp.Trainer(plan, threads=1)
trainer.step(*tiny.batch())
assert len(os.listdir("/proc/self/task")) == before
"""


def test_an_engine_of_one_thread_starts_no_other() -> None:
    environ = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    paths = [str(Path(__file__).parent), *sys.path]
    subprocess.run(
        [sys.executable, "-c", ONE_THREAD],
        env=environ | {"PYTHONPATH": os.pathsep.join(paths)},
        check=True,
    )


@pytest.mark.parametrize("ranks", [1, 2])
def test_less_memory_changes_the_order_of_the_work_and_not_the_result(ranks: int) -> None:
    def work(rank: int) -> list[tuple[int, int, list[float]]]:
        found: list[tuple[int, int, list[float]]] = []
        for limit in (0.0, 0.5):  # of what is taken where there is enough
            memory = limit * found[0][0] / 2**30 if limit else 0.0
            plan = pyhpmp.plan(
                tiny.graph(rank), batch=64, strategy="data", bn_group=4, memory=memory
            )
            trainer = pyhpmp.Trainer(plan, pyhpmp.SGD(lr=0.1))
            losses = [trainer.step(*tiny.batch(64, seed)) for seed in range(3)]
            found.append(
                (max(plan.comparison.strategies[0].memory_bytes), plan.core.shards, losses)
            )
        return found

    freely, tightly = local.run(ranks, work)[0]
    assert tightly[0] <= freely[0] / 2
    assert tightly[1] > freely[1]
    assert tightly[2] == pytest.approx(freely[2], rel=1e-5)
