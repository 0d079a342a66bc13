"""Every metric recomputed from hMETIS text by slow code that shares nothing with the native one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import tiny_network as tiny
from networks import NETWORKS

from pyhpmp import _core, partitioners


@dataclass(frozen=True)
class Oracle:
    """A hypergraph as hMETIS text says it: costs, pins and weights in Python's exact integers."""

    costs: list[int]
    nets: list[list[int]]
    weights: list[int]

    @classmethod
    def read(cls, text: str) -> Oracle:
        lines = [list(map(int, line.split())) for line in text.splitlines()]
        nets, vertices, form = lines[0]
        assert form == 11
        assert len(lines) == 1 + nets + vertices
        rows = lines[1 : 1 + nets]
        return cls(
            [row[0] for row in rows],
            [[pin - 1 for pin in row[1:]] for row in rows],
            [row[0] for row in lines[1 + nets :]],
        )

    def volumes(self, part: list[int]) -> list[int]:
        """Per net: cost times the number of parts beyond the first."""
        touched = [len({part[pin] for pin in net}) for net in self.nets]
        return [cost * (count - 1) for cost, count in zip(self.costs, touched, strict=True)]

    def part_weights(self, part: list[int], ranks: int) -> list[int]:
        total = [0] * ranks
        for cell, weight in enumerate(self.weights):
            total[part[cell]] += weight
        return total

    def imbalance(self, part: list[int], ranks: int) -> float:
        return max(self.part_weights(part, ranks)) * ranks / sum(self.weights) - 1


def hypergraph(
    name: str, batch: int, shards: int, bn_group: int = 0, bn_sync: bool = False
) -> _core.Hypergraph:
    text = tiny.TEXT if name == "tiny" else NETWORKS[name]
    graph = _core.Graph.parse(text).prepare()
    return _core.Hypergraph(graph, batch=batch, shards=shards, bn_group=bn_group, bn_sync=bn_sync)


def assert_agrees(h: _core.Hypergraph, part: np.ndarray, ranks: int) -> None:
    oracle, parts = Oracle.read(h.hmetis()), [int(p) for p in part]
    said = h.measure(part, ranks)
    volumes = oracle.volumes(parts)
    assert said.net_volume.tolist() == volumes
    assert said.activation_elems + said.parameter_elems == sum(volumes)
    of_parameters = sum(v for v, is_param in zip(volumes, h.net_is_param, strict=True) if is_param)
    assert said.parameter_elems == of_parameters
    assert int(said.pair_elems.sum()) == sum(volumes)
    assert np.all(np.diag(said.pair_elems) == 0)
    assert said.part_weight.tolist() == oracle.part_weights(parts, ranks)
    assert said.imbalance == pytest.approx(oracle.imbalance(parts, ranks), abs=1e-12)
    assert partitioners.connectivity(h, part, ranks) == sum(volumes)
    assert partitioners.imbalance(h, part, ranks) == pytest.approx(said.imbalance, abs=1e-12)


@pytest.mark.parametrize("ranks", [1, 2, 3, 5])
def test_random_placements_measure_as_the_oracle_counts(ranks: int) -> None:
    h = hypergraph("tiny", 16, 2, 8)
    generator = np.random.default_rng(ranks)
    for _ in range(20):
        assert_agrees(h, generator.integers(0, ranks, h.cells), ranks)


def test_shared_statistics_measure_as_the_oracle_counts() -> None:
    h = hypergraph("resnet50", 128, 16, bn_group=64, bn_sync=True)
    generator = np.random.default_rng(0)
    for part in (h.baseline("data", 4), generator.integers(0, 3, h.cells)):
        assert_agrees(h, part, 4)


def test_data_parallelism_sends_every_channels_sums_four_times_per_further_rank() -> None:
    h = hypergraph("resnet50", 128, 4, bn_group=128, bn_sync=True)
    means = [line for line in NETWORKS["resnet50"].splitlines() if " running_mean " in line]
    channels = sum(int(line.split()[3]) for line in means)
    said = h.measure(h.baseline("data", 4), 4)
    # A mean and a sum of squares each, up and down, and two sums of the backward pass likewise.
    assert said.activation_elems == 3 * 2 * 4 * channels


@pytest.mark.parametrize("strategy", ["data", "layer", "filter", "owt"])
@pytest.mark.parametrize("name", ["alexnet", "resnet50"])
def test_classical_strategies_measure_as_the_oracle_counts(name: str, strategy: str) -> None:
    h = hypergraph(name, 128, 4)
    assert_agrees(h, h.baseline(strategy, 4), 4)


def test_searched_placements_measure_as_the_oracle_counts() -> None:
    h = hypergraph("alexnet", 128, 8)
    for part in h.search(3, work=2_000_000):
        assert_agrees(h, part, 3)


@pytest.mark.parametrize(
    ("name", "batch", "volumes"),
    [
        ("alexnet", 128, {"data": 366.6, "filter": 157.4, "owt": 28.4}),
        ("vgg16", 128, {"data": 830.1, "layer": 719.3, "owt": 114.0}),
        ("resnet50", 128, {"data": 153.3, "owt": 142.8}),
        ("mobilenet_v2", 128, {"data": 21.0, "owt": 14.5}),
    ],
)
def test_classical_strategies_have_the_volumes_known_of_these_networks(
    name: str, batch: int, volumes: dict[str, float]
) -> None:
    h = hypergraph(name, batch, 4)
    for strategy, millions in volumes.items():
        said = h.measure(h.baseline(strategy, 4), 4)
        total = said.activation_elems + said.parameter_elems
        assert total / 1e6 == pytest.approx(millions, abs=0.06)
