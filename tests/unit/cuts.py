"""A small network's step under every placement, against autograd and the metric.

`check(text, strategy, ranks, channel_block)`: whatever the cut, loss and gradients of one step are
those of the oracle, and each pair of ranks sends what the hypergraph's metric says.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pytest
import torch
from oracle_graph import OracleGraph

from pyhpmp import _core, local, world

BATCH, CLASSES, BN_GROUP = 12, 10, 1
SHARDS = 12  # for 1, 2, 3 and 4 ranks
STRATEGIES = ("data", "layer", "filter", "owt", "random")
PLACEMENTS = [("data", 1), *((s, k) for s in STRATEGIES for k in (2, 3, 4))]
Floats = npt.NDArray[np.float32]


@lru_cache
def params(text: str) -> dict[str, Floats]:
    """Small random weights; scales and variances are positive."""
    random, drawn = np.random.default_rng(0), {}
    for info in _core.Graph.parse(text).params:
        array = random.standard_normal(info.dims) / np.sqrt(np.prod(info.dims[1:]))
        positive = info.role in ("scale", "running_var")
        drawn[info.name] = (abs(array) if positive else array).astype(np.float32)
    return drawn


@lru_cache
def batch(text: str) -> tuple[Floats, npt.NDArray[np.int64]]:
    random = np.random.default_rng(1)
    shape = _core.Graph.parse(text).input.shape
    images = random.standard_normal((BATCH, *shape), dtype=np.float32)
    return images, random.integers(0, CLASSES, BATCH)


@lru_cache
def by_autograd(text: str) -> tuple[float, dict[str, Floats]]:
    images, labels = batch(text)
    graph = OracleGraph(text, params(text))
    logits = graph.run(images, training=True, bn_group=BN_GROUP)[graph.outputs[0]].flatten(1)
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels))
    loss.backward()
    grads = {name: p.grad.numpy() for name, p in graph.params.items() if p.grad is not None}
    return float(loss.detach()), grads


def by_engine(
    text: str, prepared: _core.Graph, plan: _core.Plan
) -> tuple[float, dict[str, Floats], npt.NDArray[np.int64]]:
    """Loss, gradients and the elements sent by each pair of ranks, of one step."""

    def work(rank: int) -> tuple[float, dict[str, Floats], npt.NDArray[np.int64]]:
        here = world.current()
        engine = _core.Engine(prepared, plan, here.communicator(), threads=1)
        for index, info in enumerate(prepared.params):
            engine.set_param(index, params(text)[info.name].reshape(-1))
        loss = engine.train_step(*batch(text), lr=0.0).loss
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


def check(text: str, strategy: str, ranks: int, channel_block: int) -> None:
    """Errors: AssertionError where the cut changes the step or sends what the metric denies."""
    prepared = _core.Graph.parse(text).prepare()
    hypergraph = _core.Hypergraph(
        prepared, batch=BATCH, shards=SHARDS, channel_block=channel_block, bn_group=BN_GROUP
    )
    random = np.random.default_rng(ranks).integers(0, ranks, hypergraph.cells, dtype=np.int32)
    part = random if strategy == "random" else hypergraph.baseline(strategy, ranks)
    plan = _core.Plan.build(hypergraph, part, ranks, strategy, {})
    plan.verify(prepared)
    loss, grads, sent = by_engine(text, prepared, plan)
    expected_loss, expected = by_autograd(text)
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert grads.keys() == expected.keys()
    for name, want in expected.items():
        assert np.linalg.norm(grads[name] - want) <= 1e-5 * np.linalg.norm(want), name
    assert np.array_equal(sent, hypergraph.measure(part, ranks).pair_elems.reshape(-1))
