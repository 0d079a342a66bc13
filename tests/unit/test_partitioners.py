"""Every way in which a partitioner could hang, ask, crash, print or lie is closed."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tiny_network as tiny
from networks import NETWORKS

from pyhpmp import _core, partitioners
from pyhpmp.errors import InfeasiblePlanError, InternalError, InvalidArgumentError
from pyhpmp.partitioners import library, problem
from pyhpmp.partitioners.portfolio import Placement, spread

LIBRARIES = [name for name in ("kahypar", "mtkahypar") if library.is_installed(name)]


@dataclass
class Arrays:
    """A hypergraph given by hand."""

    cell_weight: np.ndarray
    net_cost: np.ndarray
    pin_begin: np.ndarray
    pin_cell: np.ndarray

    @classmethod
    def of(cls, weights: list[int], nets: list[tuple[int, list[int]]]) -> Arrays:
        sizes = [len(pins) for _, pins in nets]
        return cls(
            np.array(weights, np.int64),
            np.array([cost for cost, _ in nets], np.int64),
            np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            np.array([pin for _, pins in nets for pin in pins], np.int32),
        )

    def search(self, *_: object, **__: object) -> list[np.ndarray]:
        raise AssertionError("only libraries are tested on arrays")


def random_arrays(seed: int, cells: int = 9, nets: int = 14) -> Arrays:
    generator = np.random.default_rng(seed)
    weights = generator.integers(1, 6, cells).tolist()
    pins = [
        generator.choice(cells, int(generator.integers(1, 5)), replace=False).tolist()
        for _ in range(nets)
    ]
    costs = generator.integers(0, 50, nets).tolist()
    return Arrays.of(weights, list(zip(costs, pins, strict=True)))


def best_by_force(h: Arrays, ranks: int, epsilon: float) -> int:
    limit = max(int(h.cell_weight.sum() / ranks * (1 + epsilon)), int(h.cell_weight.max()))
    best = None
    for part in itertools.product(range(ranks), repeat=len(h.cell_weight)):
        weight = np.bincount(part, weights=h.cell_weight, minlength=ranks)
        if weight.max() > limit:
            continue
        volume = partitioners.connectivity(h, np.array(part), ranks)
        best = volume if best is None else min(best, volume)
    assert best is not None
    return best


def chain(cells: int = 12) -> Arrays:
    return Arrays.of([1] * cells, [(1 + i % 3, [i, i + 1]) for i in range(cells - 1)])


@pytest.fixture(scope="module")
def alexnet() -> _core.Hypergraph:
    return _core.Hypergraph(_core.Graph.parse(NETWORKS["alexnet"]).prepare(), batch=128, shards=4)


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("seed", range(3))
def test_libraries_come_near_the_optimum_of_random_graphs(name: str, seed: int) -> None:
    h = random_arrays(seed)
    part = partitioners.partition(h, 2, 0.2, seed, name)
    assert partitioners.imbalance(h, part, 2) <= 0.2 + 1e-9
    found = partitioners.connectivity(h, part, 2)
    best = best_by_force(h, 2, 0.2)
    assert best <= found <= 1.25 * best


@pytest.mark.parametrize("name", LIBRARIES)
def test_two_calls_in_one_process_ask_nothing_and_agree(name: str) -> None:
    first = partitioners.partition(chain(), 3, 0.03, 5, name)
    again = partitioners.partition(chain(), 3, 0.03, 5, name)
    assert first.tolist() == again.tolist()
    assert first.dtype == np.int32


@pytest.mark.parametrize("name", LIBRARIES)
def test_weights_beyond_c_ints_keep_their_balance_and_their_volume(name: str) -> None:
    huge = 2**40
    h = Arrays.of([huge] * 8, [(huge, [i, (i + 1) % 8]) for i in range(8)])
    part = partitioners.partition(h, 2, 0.03, 0, name)
    assert partitioners.imbalance(h, part, 2) == 0
    assert partitioners.connectivity(h, part, 2) == 2 * huge


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_cell_heavier_than_a_part_has_a_part_of_its_own(name: str) -> None:
    h = Arrays.of([1000, *[1] * 12], [(1, [i, i + 1]) for i in range(12)])
    part = partitioners.partition(h, 4, 0.03, 0, name)
    assert np.count_nonzero(part == part[0]) == 1
    assert sorted(np.bincount(part, minlength=4)[np.arange(4) != part[0]].tolist()) == [4, 4, 4]


@pytest.mark.parametrize("name", LIBRARIES)
def test_no_part_is_empty(name: str) -> None:
    h = Arrays.of([7, 7, 7, 1, 1], [(100, [0, 1, 2, 3, 4])])
    part = partitioners.partition(h, 5, 0.03, 0, name)
    assert sorted(part.tolist()) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("name", LIBRARIES)
def test_fixed_cells_stay(name: str) -> None:
    fixed = np.full(12, -1)
    fixed[[0, 5, 11]] = [2, 0, 1]
    part = partitioners.partition(chain(), 3, 0.1, 0, name, fixed=fixed)
    assert part[[0, 5, 11]].tolist() == [2, 0, 1]


@pytest.mark.parametrize("name", LIBRARIES)
def test_faster_ranks_get_more(name: str) -> None:
    part = partitioners.partition(chain(40), 3, 0.05, 0, name, share=[1, 1, 2])
    assert np.bincount(part).tolist()[2] in range(18, 22)


@pytest.mark.parametrize("name", LIBRARIES)
def test_libraries_leave_stdout_and_stdin_alone(name: str) -> None:
    code = (
        "import sys, json; sys.path.insert(0, sys.argv[1])\n"
        "from test_partitioners import chain, partitioners\n"
        f"parts = [partitioners.partition(chain(), 3, 0.03, 0, {name!r}) for _ in range(2)]\n"
        "print(json.dumps([p.tolist() for p in parts]))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parent)],
        input="a line that nobody may read\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert len(json.loads(run.stdout)) == 2
    assert run.stderr == ""


def fake_library(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """Replaces the worker by a script of another temper."""
    script = folder / "worker.py"
    script.write_text(body)
    monkeypatch.setattr(library, "WORKER", script)
    monkeypatch.setattr(library, "is_installed", lambda name: True)


def test_a_library_that_hangs_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_library(tmp_path, monkeypatch, "while True: pass\n")
    began = time.monotonic()
    with pytest.raises(InternalError, match=r"needed more than 0\.5 s; use 'native'"):
        partitioners.partition(chain(), 3, partitioner="kahypar", seconds=0.5)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("import sys; input(); sys.exit(0)", "code 1"),
        ("import os; os._exit(0)", "code 0"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "code -11"),
        ("print('Unknown policy'); raise SystemExit(255)", r"code 255 \(Unknown policy\)"),
    ],
)
def test_a_library_that_asks_ends_or_crashes_is_an_error_of_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, said: str
) -> None:
    fake_library(tmp_path, monkeypatch, body + "\n")
    with pytest.raises(InternalError, match=said) as caught:
        partitioners.partition(chain(), 3, partitioner="kahypar", seconds=20)
    assert "\n" not in str(caught.value)


def test_an_answer_that_is_no_partition_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_library(
        tmp_path,
        monkeypatch,
        "import json, pathlib, sys\n"
        "pathlib.Path(sys.argv[2], 'part-0.json').write_text(json.dumps([0, 1, 7]))\n",
    )
    with pytest.raises(InternalError, match="gave no partition"):
        partitioners.partition(chain(), 3, partitioner="kahypar", tries=1, seconds=20)


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "is_installed", lambda name: False)
    with pytest.raises(InvalidArgumentError, match="pip install mtkahypar"):
        partitioners.partition(chain(), 3, partitioner="mtkahypar")


def test_bad_arguments_never_reach_a_library() -> None:
    def refused(match: str, h: Arrays | None = None, ranks: int = 2, **options: object) -> None:
        with pytest.raises((InvalidArgumentError, InfeasiblePlanError), match=match):
            partitioners.partition(h or chain(), ranks, partitioner="kahypar", **options)

    refused("0 ranks", ranks=0)
    refused("13 ranks are more than the 12 cells", ranks=13)
    refused("epsilon -1", epsilon=-1)
    refused("epsilon nan", epsilon=float("nan"))
    refused("fixed parts", fixed=[0, 1])
    refused("shares", share=[1.0])
    refused("shares", share=[1.0, 0.0])
    refused("outside the 2 cells", Arrays.of([1, 1], [(1, [0, 2])]))
    refused("weights", Arrays.of([1, 0], [(1, [0, 1])]))
    broken = chain()
    broken.pin_begin = broken.pin_begin[:-1]
    refused("pin_begin", broken)
    with pytest.raises(InvalidArgumentError, match="unknown partitioner 'metis'"):
        partitioners.partition(chain(), 2, partitioner="metis")


def test_nets_with_equal_pins_become_one() -> None:
    h = Arrays.of([1] * 4, [(3, [0, 1]), (4, [1, 0]), (5, [2]), (0, [2, 3]), (6, [0, 1, 1, 2])])
    left = problem.prepare(h, 2, 0.03)
    assert left.nets == [[0, 1], [0, 1, 2]]
    assert left.cost == [7, 6]


def test_scaled_sums_fit_a_c_int() -> None:
    h = Arrays.of([2**50, 2**50 + 7, 3], [(2**60, [0, 1]), (2**60, [1, 2])])
    left = problem.prepare(h, 2, 0.5)
    assert sum(left.weight) <= problem.LARGEST_SUM + len(left.weight)
    assert sum(left.cost) * 2 <= problem.LARGEST_SUM + 4


def test_native_and_libraries_meet_the_balance_on_a_real_network(
    alexnet: _core.Hypergraph,
) -> None:
    for name in ("native", *LIBRARIES):
        part = partitioners.partition(alexnet, 4, 0.03, 0, name, tries=1, seconds=60)
        assert partitioners.imbalance(alexnet, part, 4) <= 0.03 + 1e-6
        assert len(np.unique(part)) == 4


def test_the_native_search_repeats(alexnet: _core.Hypergraph) -> None:
    first, again = (alexnet.search(4, seed=3, work=5_000_000) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_a_placement_keeps_volume_and_balance_on_more_shards() -> None:
    graph = _core.Graph.parse(tiny.TEXT).prepare()
    coarse = _core.Hypergraph(graph, batch=16, shards=2, bn_group=2)
    fine = _core.Hypergraph(graph, batch=16, shards=8, bn_group=2)
    part = np.random.default_rng(0).integers(0, 3, coarse.cells).astype(np.int32)
    before = coarse.measure(part, 3)
    after = fine.measure(spread(Placement(2, coarse, part, 0, 0.0), fine, 8), 3)
    assert after.activation_elems == before.activation_elems
    assert after.parameter_elems == before.parameter_elems


def test_the_portfolio_gives_placements_of_several_grids_best_first() -> None:
    graph = _core.Graph.parse(NETWORKS["vgg16_32"]).prepare()

    def make(shards: int) -> _core.Hypergraph:
        return _core.Hypergraph(graph, batch=64, shards=shards)

    found = partitioners.partition_best(make, [4, 8, 3], 4, work=20_000_000)
    assert {p.shards for p in found} == {4, 8}
    assert found[0].volume == min(p.volume for p in found if p.imbalance <= 0.03 + 1e-6)
    for p in found:
        said = p.hypergraph.measure(p.part, 4)
        assert p.volume == said.activation_elems + said.parameter_elems
    with pytest.raises(InvalidArgumentError, match="3 shards do not divide batch 64"):
        partitioners.partition_best(make, [3], 4)


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_library_gives_the_portfolio_a_start(name: str) -> None:
    graph = _core.Graph.parse(tiny.TEXT).prepare()
    found = partitioners.partition_best(
        lambda shards: _core.Hypergraph(graph, batch=16, shards=shards, bn_group=2),
        [2, 4],
        2,
        partitioner=name,
        work=2_000_000,
        seconds=60,
    )
    assert found[0].imbalance <= 0.03 + 1e-6
