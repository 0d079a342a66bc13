"""Label smoothing: PyTorch's loss and gradients, for classes, maps and several outputs."""

from __future__ import annotations

import numpy as np
import pytest
import test_segmentation_training as maps
import tiny_network as tiny
import torch
from oracle_graph import OracleGraph

import pyhpmp
from pyhpmp import local
from pyhpmp.commands.run import main
from pyhpmp.errors import InvalidArgumentError
from pyhpmp.graph import Params

AUX = 0.4


def torch_loss(logits: torch.Tensor, labels: np.ndarray, smoothing: float) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(
        logits, torch.from_numpy(labels), ignore_index=-1, label_smoothing=smoothing
    )


def grads_of(oracle: OracleGraph) -> Params:
    return {n: p.grad.numpy() for n, p in oracle.params.items() if p.grad is not None}


@pytest.mark.parametrize("smoothing", [0.1, 0.5, 1.0])
@pytest.mark.parametrize(("ranks", "strategy"), [(1, "auto"), (2, "filter"), (4, "data")])
def test_classes_are_smoothed_as_torch_does_it(ranks: int, strategy: str, smoothing: float) -> None:
    images, labels = tiny.batch()
    labels[[2, 7, 8]] = -1

    def work(rank: int) -> tuple[float, Params, float]:
        plan = pyhpmp.plan(tiny.graph(rank), batch=16, strategy=strategy, bn_group=4)
        trainer = pyhpmp.Trainer(plan, label_smoothing=smoothing, threads=1)
        loss = trainer.step(images, labels)
        return loss, trainer.engine.grads(), trainer.scores.accuracy

    loss, grads, accuracy = local.run(ranks, work)[0]
    oracle = OracleGraph(tiny.TEXT, tiny.params())
    logits = oracle.run(images, training=True, bn_group=4)[oracle.outputs[0]].flatten(1)
    expected = torch_loss(logits, labels, smoothing)
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    assert accuracy == np.mean(logits.argmax(1).numpy()[labels >= 0] == labels[labels >= 0])
    for name, grad in grads_of(oracle).items():
        np.testing.assert_allclose(grads[name], grad, rtol=1e-3, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("ranks", [1, 2])
def test_maps_and_auxiliary_outputs_are_smoothed(ranks: int) -> None:
    graph, (images, labels) = maps.model(), maps.squares()

    def work(rank: int) -> tuple[float, Params]:
        plan = pyhpmp.plan(graph, batch=maps.BATCH, aux_weight=[AUX, 0.0], seconds=1)
        trainer = pyhpmp.Trainer(plan, params=graph.params, label_smoothing=0.2, threads=1)
        return trainer.step(images, labels), trainer.engine.grads()

    loss, grads = local.run(ranks, work)[0]
    oracle = OracleGraph(maps.TEXT, graph.params)
    values = oracle.run(images)
    expected = torch_loss(values["main"], labels, 0.2) + AUX * torch_loss(
        values["aux"], labels, 0.2
    )
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    for name, grad in grads_of(oracle).items():
        np.testing.assert_allclose(grads[name], grad, rtol=1e-3, atol=1e-5, err_msg=name)


def test_the_gradient_is_that_of_the_loss_by_differences() -> None:
    images, labels = tiny.batch()

    def loss_with(head: np.ndarray) -> tuple[float, np.ndarray]:
        params = tiny.params() | {"head.b": head}
        plan = pyhpmp.plan(tiny.graph(), batch=16, bn_group=4)
        trainer = pyhpmp.Trainer(plan, params=params, label_smoothing=0.3, threads=1)
        return trainer.step(images, labels), trainer.engine.grads()["head.b"]

    start = tiny.params()["head.b"]
    _, grad = loss_with(start)
    for k in range(3):
        step = np.zeros_like(start)
        step[k] = 0.02
        difference = (loss_with(start + step)[0] - loss_with(start - step)[0]) / 0.04
        assert grad[k] == pytest.approx(difference, abs=2e-4)


def test_evaluation_knows_nothing_of_smoothing() -> None:
    images, labels = tiny.batch()
    plan = pyhpmp.plan(tiny.graph(), batch=16, bn_group=4)
    found = []
    for smoothing in (0.0, 0.4):
        trainer = pyhpmp.Trainer(plan, params=tiny.params(), label_smoothing=smoothing, threads=1)
        found.append(trainer.evaluate(images, labels))
    assert found[0] == found[1]


def test_a_share_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    plan = pyhpmp.plan(tiny.graph(), batch=16, bn_group=4)
    for smoothing in (-0.1, 1.5, float("nan")):
        with pytest.raises(InvalidArgumentError, match=r"is not a share from 0 to 1"):
            pyhpmp.Trainer(plan, label_smoothing=smoothing)
    with pytest.raises(SystemExit):
        main(["zoo:lenet5", "--label-smoothing", "1.5"])
    assert "1.5 is not a number from 0 to 1" in capsys.readouterr().err
