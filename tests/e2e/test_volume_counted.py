"""What the engines count while they train is the hypergraph's metric: per net, and per pair of
ranks, on real networks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

import pyhpmp
from pyhpmp import _core, local, world

NETWORKS = {
    "resnet20": None,
    "squeezenet": 64,
    "googlenet": 64,
    "vgg16": 32,
    "densenet121": 64,
    "mobilenet_v2": 64,
}
STRATEGIES = ("data", "layer", "filter", "owt", "search", "random")
BATCH = 8
Ints = npt.NDArray[np.int64]


def placed(hypergraph: _core.Hypergraph, strategy: str, ranks: int) -> npt.NDArray[np.int32]:
    if strategy == "search":
        return hypergraph.search(ranks, seconds=1.0)[0]
    if strategy == "random":
        return np.random.default_rng(3).integers(0, ranks, hypergraph.cells, dtype=np.int32)
    return hypergraph.baseline(strategy, ranks)


def counted(
    graph: pyhpmp.Graph, prepared: _core.Graph, plan: _core.Plan, nets: int
) -> tuple[Ints, Ints]:
    """Elements sent in one step: by net over all ranks, and by sender and receiver."""

    def work(rank: int) -> tuple[Ints, Ints]:
        engine = _core.Engine(prepared, plan, world.current().communicator(), threads=1)
        for index, info in enumerate(prepared.params):
            engine.set_param(index, graph.params[info.name].reshape(-1))
        random = np.random.default_rng(0)
        images = random.standard_normal((BATCH, *graph.input_shape), dtype=np.float32)
        engine.train_step(images, random.integers(0, graph.classes, BATCH), lr=0.01)
        by_net = np.zeros(nets, np.int64)
        sent = engine.sent_by_net()
        by_net[: len(sent)] = sent
        return by_net, engine.sent_by_peer()

    results = local.run(plan.ranks, work)
    return sum(nets for nets, _ in results), np.concatenate([peers for _, peers in results])


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", NETWORKS)
def test_counted_elements_equal_the_metric(name: str, strategy: str) -> None:
    check_counts(name, strategy, bn_group=2)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", ["resnet20", "densenet121"])
def test_so_they_do_with_statistics_that_shards_share(name: str, strategy: str) -> None:
    check_counts(name, strategy, bn_group=BATCH, bn_sync=True)


def check_counts(name: str, strategy: str, **statistics: int) -> None:
    ranks = 4
    graph = pyhpmp.load(f"zoo:{name}", image=NETWORKS[name])
    prepared = graph.core.prepare(training=True)
    hypergraph = _core.Hypergraph(prepared, batch=BATCH, shards=4, **statistics)
    part = placed(hypergraph, strategy, ranks)
    plan = _core.Plan.build(hypergraph, part, ranks, strategy, {})
    plan.verify(prepared)
    expected = hypergraph.measure(part, ranks)
    assert expected.activation_elems + expected.parameter_elems > 0
    by_net, by_pair = counted(graph, prepared, plan, hypergraph.nets)
    assert np.array_equal(by_net, expected.net_volume)
    assert np.array_equal(by_pair, expected.pair_elems.reshape(-1))
