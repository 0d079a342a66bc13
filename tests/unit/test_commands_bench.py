"""hpmp-bench measures, speaks JSON lines or tables, and writes a profile that the planner reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Said, say

from pyhpmp import _core
from pyhpmp.bench import comm, kernels
from pyhpmp.bench.summary import summary
from pyhpmp.commands import bench as bench_command
from pyhpmp.commands import plan as plan_command
from pyhpmp.local import run as run_locally
from pyhpmp.profile import read_profile
from pyhpmp.records import Passes, PassTimes

Bench = Callable[..., Said]
SHORT = ("--quick", "--repeats", 1, "--seconds", 0.001)


@pytest.fixture
def bench(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Bench:
    monkeypatch.chdir(tmp_path)
    return lambda *words: say(capsys, bench_command.main, *words)


def objects(said: Said) -> list[dict[str, Any]]:
    assert (said.code, said.err) == (0, "")
    return [json.loads(line) for line in said.out.splitlines()]


def test_kernels_give_one_object_per_shape_with_the_machine_beside_it(bench: Bench) -> None:
    found = objects(bench("kernels", "zoo:lenet5", *SHORT, "--json"))
    assert [row["bench"] for row in found[:2]] == ["host", "kernel"]
    assert found[0]["fma_flops_per_second"] > 0
    ops = {row["op"] for row in found[1:]}
    assert {"Conv", "Dense", "Relu", "MaxPool", "Loss"} <= ops
    for row in found:
        assert row["machine"]["cpu"]
        assert row["command"][:2] == ["hpmp-bench", "kernels"]
    conv = next(row for row in found if row.get("op") == "Conv")
    assert set(conv["flops_per_second"]) == {"forward", "backward", "weights"}
    assert set(conv["seconds"]) == {"forward", "backward", "weights", "load"}
    assert set(conv["seconds"]["forward"]) == {"median", "p10", "p90", "samples"}
    relu = next(row for row in found if row.get("op") == "Relu")
    assert set(relu["bytes_per_second"]) == {"forward", "backward"}


def test_kernels_print_a_table_with_the_share_of_the_peak(bench: Bench) -> None:
    said = bench("kernels", "zoo:lenet5", *SHORT)
    assert (said.code, said.err) == (0, "")
    assert "multiply-add peak of one core" in said.out
    assert "of peak" in said.out
    assert "GFLOP/s" in said.out


def test_a_profile_gathers_several_runs_and_serves_the_planner(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    for model in ("zoo:lenet5", "zoo:vgg11@32"):
        assert bench("kernels", model, *SHORT, "--save-profile", "m.json").code == 0
    profile = read_profile("m.json")
    sizes = {rate.shape.c_in for rate in profile.rates if rate.shape.op == "Conv"}
    assert {1, 256} <= sizes
    assert profile.measured["kernels"]["threads"] == 1
    said = say(capsys, plan_command.main, "zoo:lenet5", "-n", 2, "--profile", "m.json", "--json")
    assert said.json["chosen"]


def test_a_step_shows_prediction_and_measurement_side_by_side(bench: Bench) -> None:
    words = ("step", "zoo:lenet5", "--batch", 16, "--quick", "--repeats", 3)
    (found,) = objects(bench(*words, "--json"))
    seconds = found["step_seconds"]
    assert set(seconds) == {"median", "p10", "p90", "samples", "predicted"}
    assert seconds["samples"] == found["cpu_seconds"]["samples"] == 3
    assert found["error"] == pytest.approx(seconds["predicted"] / seconds["median"] - 1)
    kinds = {(row["kind"], row["op"]) for row in found["instructions"]}
    assert {("FWD", "Conv"), ("BWD", "Conv"), ("FWD", "Dense"), ("UPDATE", "")} <= kinds
    assert "FWD" in bench(*words).out


def test_ranks_of_one_process_agree_on_every_transfer() -> None:
    found = run_locally(3, lambda _: [t.as_dict() for t in comm.timings((1, 4096), 5)])
    assert found[0] == found[1] == found[2]
    pairs = [t["ranks"] for t in found[0] if t["kind"] == "ping_pong" and t["bytes"] == 1]
    assert pairs == [[0, 1], [0, 2], [1, 2]]
    groups = [t["ranks"] for t in found[0] if t["kind"] == "all_reduce"]
    assert groups == [[0, 1], [0, 1, 2]]


def test_the_link_of_a_profile_is_that_of_the_slowest_pair() -> None:
    def pair(ranks: tuple[int, int], size: int, seconds: float) -> comm.Timing:
        return comm.Timing("ping_pong", ranks, size, (seconds,) * 5)

    found = [
        pair((0, 1), 1, 1e-6),
        pair((0, 1), 2**20, 1e-3),
        pair((0, 2), 1, 9e-6),
        pair((0, 2), 2**20, 1e-2),
    ]
    link = {"link_latency_seconds": 9e-6, "link_bytes_per_second": 2**20 / 1e-2}
    assert comm.profile_of(found, {}, one_host=False).speeds == link
    copies = {"transport_bytes_per_second": 2**21 / 1e-2}
    assert comm.profile_of(found, {}, one_host=True).speeds == link | copies


def test_the_cost_of_weights_is_taken_off_before_a_rate_is_computed() -> None:
    text = (
        "hpmp-graph 1\nparam w weight 8 8 1 1\ninput x 8 2 2\nnode Conv c : x : w : c\noutput c\n"
    )
    graph = _core.Graph.parse(text)
    index = next(i for i, node in enumerate(graph.nodes) if node.shape.op == "Conv")
    node = graph.nodes[index]
    assert node.work == (2 * 64 * 4, 2 * 64 * 4, 2 * 64 * 4)
    times = PassTimes(*(np.array([10.0, 30.0, 20.0]) for _ in range(4)))
    result = kernels.Measured(node, 10, times)
    assert result.rates().forward == pytest.approx(10 * 512 / 20)
    weights = Passes(1 / 64, 0.0, 0.0)
    assert result.rates_beside(weights).forward == pytest.approx(10 * 512 / (15 - 1))


def test_a_summary_has_median_and_deciles() -> None:
    assert summary(range(101)) == {"median": 50, "p10": 10, "p90": 90, "samples": 101}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "kernels, comm, step"),
        (("nonsense",), "nonsense"),
        (("step",), "MODEL"),
        (("step", "zoo:lenet6"), "lenet6"),
        (("step", "zoo:lenet5", "--profile", "missing.json"), "missing.json"),
        (("kernels", "missing.onnx"), "missing.onnx"),
        (("kernels", "zoo:vgg11@big"), "big"),
        (("kernels", "--repeats", "0"), "--repeats"),
        (("kernels", "--save-profile", "no/where.json"), "no/where.json"),
        (("comm", "-n", "1"), "-n 2"),
        (("comm", "-n", "0"), "-n"),
    ],
)
def test_a_mistake_is_one_line(bench: Bench, words: tuple[object, ...], message: str) -> None:
    said = bench(*words)
    assert said.is_one_line_mistake()
    assert message in said.err


def test_a_file_that_is_no_profile_is_not_overwritten(bench: Bench) -> None:
    Path("notes.json").write_text("{}")
    said = bench("kernels", "zoo:lenet5", *SHORT, "--save-profile", "notes.json")
    assert said.is_one_line_mistake()
    assert Path("notes.json").read_text() == "{}"
