"""The volumes that this planner promises, in millions of elements per step, within 3% imbalance."""

from __future__ import annotations

import pytest
from networks import NETWORKS

from pyhpmp import _core, partitioners

EPSILON = 0.03

# network, ranks, batch, samples per statistics group, sample shards tried, most volume. The
# statistics group bounds the shards of networks with batch-norm: its 32 samples of 128 allow four.
TABLE = [
    ("alexnet", 4, 128, 0, (4, 8, 16, 32, 64), 12.5),
    ("vgg16", 4, 128, 0, (4, 8, 16, 32, 64), 70.0),
    ("vgg16_32", 4, 128, 0, (4, 8, 16, 32, 64), 6.7),
    ("resnet50", 4, 128, 8, (4, 8, 16), 85.0),
    ("resnet50", 4, 128, 32, (4,), 119.0),
    ("mobilenet_v2", 4, 128, 8, (4, 8, 16), 5.0),
    ("alexnet", 8, 256, 0, (8, 16, 32, 64, 128), 39.0),
    ("vgg16", 8, 256, 0, (8, 16, 32, 64, 128), 160.0),
]


@pytest.mark.parametrize(("name", "ranks", "batch", "bn_group", "shards", "millions"), TABLE)
def test_volume_and_balance(
    name: str, ranks: int, batch: int, bn_group: int, shards: tuple[int, ...], millions: float
) -> None:
    graph = _core.Graph.parse(NETWORKS[name]).prepare()
    best = partitioners.partition_best(
        lambda count: _core.Hypergraph(graph, batch=batch, shards=count, bn_group=bn_group),
        shards,
        ranks,
        epsilon=EPSILON,
    )[0]
    said = best.hypergraph.measure(best.part, ranks)
    assert (said.activation_elems + said.parameter_elems) / 1e6 <= millions
    assert said.imbalance <= EPSILON


@pytest.mark.parametrize("name", ["resnet152", "densenet121"])
def test_deep_networks_are_cut_into_many_shards(name: str) -> None:
    graph = _core.Graph.parse(NETWORKS[name]).prepare()
    h = _core.Hypergraph(graph, batch=512, shards=128, bn_group=4)
    assert h.cells > 300_000
