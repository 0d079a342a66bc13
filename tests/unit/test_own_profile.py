"""The profile that a run measures of its own machine: once, for the ops of its network."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from command_line import say

import pyhpmp
from pyhpmp import _core
from pyhpmp.bench.own import Own, own_profile
from pyhpmp.commands.plan import main as plan_main
from pyhpmp.commands.run import main as run_main
from pyhpmp.profile import read_profile


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def prepared(name: str = "lenet5") -> _core.Graph:
    return pyhpmp.load(f"zoo:{name}").core.prepare(training=True)


def own(ranks: int, threads: int = 1) -> Own:
    graph = prepared()
    return pyhpmp.local.run(ranks, lambda rank: own_profile(graph, threads=threads))[0]


def test_what_was_measured_is_kept_and_not_measured_again(cache: Path) -> None:
    first, second = own(2), own(2)
    assert first.ops > 0
    assert second.ops == 0
    assert second.profile == first.profile
    assert first.path is not None
    assert first.path.is_relative_to(cache)
    assert read_profile(first.path).speeds["link_bytes_per_second"] > 0


def test_another_network_measures_only_what_is_new(cache: Path) -> None:
    of_lenet = own_profile(prepared())
    of_both = own_profile(prepared("resnet20"))
    shapes = {rate.shape for rate in of_both.profile.rates}
    assert 0 < of_both.ops < len(shapes)
    assert shapes > {rate.shape for rate in of_lenet.profile.rates}


def test_every_op_of_the_network_has_a_rate(cache: Path) -> None:
    graph = prepared("resnet20")
    ops = {node.shape.op for node in graph.nodes if not node.is_index_map} - {"Input", "Output"}
    assert {rate.shape.op for rate in own_profile(graph).profile.rates} >= ops


def test_ranks_that_share_cores_are_slower_by_their_share(cache: Path) -> None:
    cores = len(os.sched_getaffinity(0))
    assert own(1, threads=cores).profile.rank_speed == ()
    assert own(1, threads=2 * cores).profile.rank_speed == (0.5,)


def test_a_spoilt_file_is_measured_anew(cache: Path) -> None:
    first = own(1)
    assert first.path is not None
    first.path.write_text("not a profile")
    assert own(1).ops == first.ops
    assert read_profile(first.path).rates


def test_a_cache_that_cannot_be_written_stops_nothing(cache: Path) -> None:
    (cache / "hpmp").write_text("a file in the folder's place")
    found = own(1)
    assert found.path is None
    assert found.ops > 0


def test_a_saved_plan_needs_no_measuring(
    cache: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    saved = tmp_path / "p.hpmp"
    made = say(capsys, plan_main, "zoo:lenet5", "-n", 1, "--batch", 8, "--save", saved)
    words = ("zoo:lenet5", "--steps", 1, "--batch", 8, "--profile", "auto")
    replayed = say(capsys, run_main, *words, "--strategy", f"file:{saved}")
    assert (made.code, replayed.code) == (0, 0)
    assert not (cache / "hpmp").exists()
    assert say(capsys, run_main, *words).code == 0
    assert (cache / "hpmp").exists()
