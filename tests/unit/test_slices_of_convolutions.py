"""Grouped and depthwise convolutions, and the Clips behind them, cut by every placement: loss and
gradients are autograd's, and what is sent is the metric."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pytest
import torch
from oracle_graph import OracleGraph

from pyhpmp import _core, local, world

BATCH, CLASSES, SHAPE, BN_GROUP = 12, 10, (3, 9, 9), 1
SHARDS = 12  # for 1, 2, 3 and 4 ranks
STRATEGIES = ("data", "layer", "filter", "owt", "random")
Floats = npt.NDArray[np.float32]

# Widths that are no multiple of 16, a depthwise convolution that makes two channels of each, one
# with a stride, a grouped one whose groups are not whole blocks, and a skip around a depthwise one.
TEXT = """\
hpmp-graph 1
input x 3 9 9
param stem.w weight 24 3 3 3
param wide.w weight 48 1 3 3
param scale scale 48
param shift shift 48
param mean running_mean 48
param var running_var 48
param point.w weight 40 48 1 1
param same.w weight 40 1 3 3
param same.b bias 40
param grouped.w weight 60 8 3 3
param grouped.b bias 60
param stride.w weight 60 1 3 3
param head.w weight 10 60
param head.b bias 10
node Conv stem : x : stem.w : stem kernel=3,3 pads=1,1,1,1
node Clip stem.6 : stem : : stem.6 min=0 max=1.5
node Conv wide : stem.6 : wide.w : wide kernel=3,3 pads=1,1,1,1 groups=24
node BatchNormalization norm : wide : scale shift mean var : norm
node Clip wide.6 : norm : : wide.6 min=0 max=1.25
node Conv point : wide.6 : point.w : point kernel=1,1
node Conv same : point : same.w same.b : same kernel=3,3 pads=1,1,1,1 groups=40
node Clip same.6 : same : : same.6 min=-0.5
node Add add : point same.6 : : add
node Conv grouped : add : grouped.w grouped.b : grouped kernel=3,3 pads=1,1,1,1 groups=5
node Clip grouped.6 : grouped : : grouped.6 max=0.75
node Conv stride : grouped.6 : stride.w : stride kernel=3,3 strides=2,2 groups=60
node Clip stride.6 : stride : : stride.6 min=-0.5 max=0.5
node GlobalAveragePool pool : stride.6 : : pool
node Flatten flat : pool : : flat
node Clip flat.6 : flat : : flat.6 min=-0.2 max=0.2
node Dense head : flat.6 : head.w head.b : y
output y
"""


@lru_cache
def params() -> dict[str, Floats]:
    """Small random weights; scales and variances are positive."""
    random, drawn = np.random.default_rng(0), {}
    for info in _core.Graph.parse(TEXT).params:
        array = random.standard_normal(info.dims) / np.sqrt(np.prod(info.dims[1:]))
        positive = info.role in ("scale", "running_var")
        drawn[info.name] = (abs(array) if positive else array).astype(np.float32)
    return drawn


@lru_cache
def batch() -> tuple[Floats, npt.NDArray[np.int64]]:
    random = np.random.default_rng(1)
    images = random.standard_normal((BATCH, *SHAPE), dtype=np.float32)
    return images, random.integers(0, CLASSES, BATCH)


@lru_cache
def by_autograd() -> tuple[float, dict[str, Floats]]:
    images, labels = batch()
    graph = OracleGraph(TEXT, params())
    logits = graph.run(images, training=True, bn_group=BN_GROUP)["y"].flatten(1)
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels))
    loss.backward()
    grads = {name: p.grad.numpy() for name, p in graph.params.items() if p.grad is not None}
    return float(loss.detach()), grads


def by_engine(
    prepared: _core.Graph, plan: _core.Plan
) -> tuple[float, dict[str, Floats], npt.NDArray[np.int64]]:
    """Loss, gradients and the elements sent by each pair of ranks, of one step."""

    def work(rank: int) -> tuple[float, dict[str, Floats], npt.NDArray[np.int64]]:
        here = world.current()
        engine = _core.Engine(prepared, plan, here.communicator(), threads=1)
        for index, info in enumerate(prepared.params):
            engine.set_param(index, params()[info.name].reshape(-1))
        loss, _ = engine.train_step(*batch(), lr=0.0)
        grads = {}
        for index, info in enumerate(prepared.params):
            if info.trainable:
                array = np.zeros(info.elems, np.float32)
                engine.get_grad(index, array)
                here.sum(array)
                grads[info.name] = array.reshape(info.dims)
        return loss, grads, engine.sent_by_peer()

    results = local.run(plan.ranks, work)
    sent = np.concatenate([sent for _, _, sent in results])
    return results[0][0], results[0][1], sent


@pytest.mark.parametrize("channel_block", [1, 8, 16])
@pytest.mark.parametrize(
    ("strategy", "ranks"), [("data", 1), *((s, k) for s in STRATEGIES for k in (2, 3, 4))]
)
def test_loss_gradients_and_volume_do_not_depend_on_the_cut(
    strategy: str, ranks: int, channel_block: int
) -> None:
    prepared = _core.Graph.parse(TEXT).prepare()
    hypergraph = _core.Hypergraph(
        prepared, batch=BATCH, shards=SHARDS, channel_block=channel_block, bn_group=BN_GROUP
    )
    random = np.random.default_rng(ranks).integers(0, ranks, hypergraph.cells, dtype=np.int32)
    part = random if strategy == "random" else hypergraph.baseline(strategy, ranks)
    plan = _core.Plan.build(hypergraph, part, ranks, strategy, {})
    plan.verify(prepared)
    loss, grads, sent = by_engine(prepared, plan)
    expected_loss, expected = by_autograd()
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert grads.keys() == expected.keys()
    for name, want in expected.items():
        assert np.linalg.norm(grads[name] - want) <= 1e-5 * np.linalg.norm(want), name
    assert np.array_equal(sent, hypergraph.measure(part, ranks).pair_elems.reshape(-1))
