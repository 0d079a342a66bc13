"""A machine profile reads back as written, steers predictions, and is refused where broken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import say

import pyhpmp
from pyhpmp import _core
from pyhpmp.commands import plan as plan_command
from pyhpmp.errors import InvalidArgumentError
from pyhpmp.network import machine_of
from pyhpmp.profile import FORMAT, Profile, read_profile
from pyhpmp.records import OpShape, Passes, Rate

SHAPE = {"kernel": 9, "stride": 1, "groups": 1, "c_in": 16, "c_out": 16, "pixels": 1024}
RATE = {"op": "Conv", **SHAPE, "forward": 1e11, "backward": 9e10, "weights": 8e10}
GOOD: dict[str, Any] = {"format": FORMAT, "flops_per_second": 1e12, "rates": [RATE]}


def written(folder: Path, content: Any) -> Path:
    path = folder / "m.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def rate(scale: float = 1.0, **shape: Any) -> Rate:
    whole = {"op": "Conv", **SHAPE, **shape}
    return Rate(OpShape(**whole), Passes(1e11 * scale, 1e11 * scale, 1e11 * scale))


def step_seconds(machine: dict[str, Any], network: str = "zoo:resnet20", batch: int = 32) -> float:
    graph = pyhpmp.load(network).core.prepare()
    hypergraph = _core.Hypergraph(graph, batch=batch)
    part = np.zeros(hypergraph.cells, np.int32)
    return _core.Plan.build(hypergraph, part, 1, "data", machine).step_seconds


def test_a_profile_reads_back_as_it_was_written(tmp_path: Path) -> None:
    profile = Profile(
        {"link_latency_seconds": 1e-6, "flops_per_second": 2.5e11},
        (rate(), rate(0.5, kernel=1, groups=16)),
        (1.0, 0.5),
        {"kernels": {"cpu": "Z80"}},
    )
    profile.save(tmp_path / "m.json")
    assert read_profile(tmp_path / "m.json") == profile


def test_a_newer_measurement_takes_the_place_of_an_older_one_of_the_same() -> None:
    kernels = Profile({"flops_per_second": 1.0}, (rate(1), rate(2, stride=2)))
    newer = Profile({"link_latency_seconds": 3.0}, (rate(4),))
    merged = kernels.merged(newer)
    assert merged.speeds == {"flops_per_second": 1.0, "link_latency_seconds": 3.0}
    assert merged.rates == (rate(4), rate(2, stride=2))


def test_a_link_comes_before_that_of_the_profile(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD | {"link_bytes_per_second": 7.0, "link_latency_seconds": 5.0})
    machine = machine_of("8Gbit", str(path))
    assert machine["link_bytes_per_second"] == 1e9
    assert machine["link_latency_seconds"] == 5.0
    assert machine["flops_per_second"] == 1e12
    assert machine_of(str(path), None) == machine_of(None, str(path))


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ([1], "format"),
        ({}, "format is missing"),
        ({"format": "hpmp-plan 1"}, "format"),
        (GOOD | {"flops_per_second": -1}, "flops_per_second is -1"),
        (GOOD | {"flops_per_second": 0}, "flops_per_second is 0"),
        (GOOD | {"flops_per_second": float("nan")}, "flops_per_second is NaN"),
        (GOOD | {"flops_per_second": float("inf")}, "flops_per_second is Infinity"),
        (GOOD | {"flops_per_second": "fast"}, 'flops_per_second is "fast"'),
        (GOOD | {"flops_per_second": True}, "flops_per_second is true"),
        (GOOD | {"flops_per_second": None}, "flops_per_second is missing"),
        (GOOD | {"flops_per_second": 10**400}, "flops_per_second is 1000"),
        ("[" * 100_000, "not JSON"),
        (GOOD | {"flops": 1e9}, "flops is 1000000000.0, not a field"),
        (GOOD | {"measured": 3}, "measured is 3"),
        (GOOD | {"rank_speed": 2}, "rank_speed is 2"),
        (GOOD | {"rank_speed": [1, -2]}, "rank_speed is -2"),
        (GOOD | {"rates": {}}, "rates is {}"),
        (GOOD | {"rates": [7]}, "rates[0] is 7"),
        (GOOD | {"rates": [RATE, RATE | {"op": "Det"}]}, 'rates[1].op is "Det"'),
        (GOOD | {"rates": [RATE | {"c_in": 0}]}, "rates[0].c_in is 0"),
        (GOOD | {"rates": [RATE | {"c_in": 1.5}]}, "rates[0].c_in is 1.5"),
        (GOOD | {"rates": [RATE | {"forward": -1}]}, "rates[0].forward is -1"),
        (GOOD | {"rates": [RATE | {"weights": float("nan")}]}, "rates[0].weights is NaN"),
        (GOOD | {"rates": [RATE | {"speed": 1}]}, "rates[0].speed"),
        (GOOD | {"rates": [{"op": "Conv", **SHAPE}]}, "rates[0].forward is missing"),
        (GOOD | {"rates": [{"op": "Conv", "forward": 1}]}, "rates[0].kernel is missing"),
    ],
)
def test_a_broken_profile_is_one_line_that_names_file_field_value_and_rule(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: Any, named: str
) -> None:
    path = written(tmp_path, content)
    said = say(capsys, plan_command.main, "zoo:lenet5", "-n", 2, "--profile", path)
    assert said.is_one_line_mistake()
    assert str(path) in said.err
    assert named in said.err


def test_a_profile_that_is_no_text_or_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00\x01" * 9)
    for path in (tmp_path / "missing.json", tmp_path, tmp_path / "binary.json"):
        with pytest.raises(InvalidArgumentError, match="machine profile"):
            read_profile(path)


def test_speeds_of_another_number_of_ranks_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = written(tmp_path, GOOD | {"rank_speed": [1, 1, 1]})
    said = say(capsys, plan_command.main, "zoo:lenet5", "-n", 2, "--profile", path)
    assert said.is_one_line_mistake()
    assert "rank_speed" in said.err


def test_a_measured_shape_is_predicted_at_its_own_speed() -> None:
    near = [rate(), rate(100, pixels=256), rate(100, c_in=32), rate(100, kernel=1)]
    alone = step_seconds({"rates": [rate()]})
    assert step_seconds({"rates": near}) < alone
    graph = pyhpmp.load("zoo:resnet20").core.prepare()
    shapes = {node.shape for node in graph.nodes if node.shape.op == "Conv"}
    exact = [rate(1, **shape._asdict()) for shape in shapes]
    far = rate(100, c_in=4096, c_out=4096)
    # The neighbours of a shape that was measured weigh less than a millionth.
    assert step_seconds({"rates": exact}) == pytest.approx(
        step_seconds({"rates": [*exact, far]}), rel=1e-4
    )


def test_faster_rates_never_predict_a_slower_step() -> None:
    seconds = [step_seconds({"rates": [rate(scale)]}) for scale in (0.5, 1, 2, 4)]
    assert seconds == sorted(seconds, reverse=True)
    assert len(set(seconds)) == 4


def test_more_samples_never_predict_a_faster_step() -> None:
    seconds = [step_seconds({"rates": [rate()]}, batch=batch) for batch in (32, 64, 128)]
    assert seconds == sorted(seconds)


@pytest.mark.parametrize("name", sorted(_core.default_speeds()))
def test_every_figure_of_a_machine_bears_on_the_prediction(name: str) -> None:
    default = _core.default_speeds()[name]
    graph = pyhpmp.load("zoo:squeezenet", image=64, classes=8).core.prepare()
    hypergraph = _core.Hypergraph(graph, batch=32, shards=2)
    part = hypergraph.baseline("owt" if "dense" not in name else "data", 2)
    if "dense" in name:
        graph = pyhpmp.load("zoo:lenet5").core.prepare()
        hypergraph = _core.Hypergraph(graph, batch=32, shards=2)
        part = hypergraph.baseline("data", 2)
    slower = default / 4 if "per_second" in name else default * 4
    plans = [
        _core.Plan.build(hypergraph, part, 2, "data", {name: value}) for value in (default, slower)
    ]
    assert plans[1].step_seconds > plans[0].step_seconds


@pytest.mark.parametrize(
    ("machine", "named"),
    [
        ({"flops_per_second": 0.0}, "flops_per_second"),
        ({"pack_bytes_per_second": float("nan")}, "pack_bytes_per_second"),
        ({"rates": [rate(op="Det")]}, "Det"),
        ({"rates": [rate(c_in=0)]}, "size of a rate"),
    ],
)
def test_the_core_refuses_figures_that_make_no_sense(machine: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidArgumentError, match=named):
        step_seconds(machine)
