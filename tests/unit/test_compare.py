"""The side-by-side measurement compares like with like, and says what it could not measure."""

from __future__ import annotations

from typing import Any

import compare
import compare_tables
import pytest
import torch
from peers import networks, serving
from peers.driver import Samples, Worker, alternate, steps_of_a_turn
from peers.job import Job, Unavailable

import pyhpmp

CASES = [("resnet20", 32), ("vgg16", 32), ("mobilenet_v2", 224), ("resnet18", 224)]
SMALL = Job("lenet5", 32, 4, variant="train")


def side(seconds: float, *, cpu: float = 1.0, peak: int = 10**6) -> dict[str, Any]:
    return {
        "step_seconds": {"median": seconds},
        "cpu_seconds": {"median": cpu},
        "peak_bytes": [peak],
    }


def row(peer: str, theirs: float, ours: float, *, network: str = "net") -> dict[str, Any]:
    case = {"network": network, "batch": 8, "peer": peer}
    return case | {"theirs": side(theirs), "ours": side(ours)}


@pytest.mark.parametrize(("name", "image"), CASES)
def test_a_peer_has_our_parameters_and_operations(name: str, image: int) -> None:
    graph = pyhpmp.load(f"zoo:{name}", image=image)
    with torch.device("meta"):
        state = networks.build(name, image).state_dict()
    theirs = {key: tuple(value.shape) for key, value in state.items() if value.dim()}
    assert theirs == {key: value.shape for key, value in graph.params.items()}
    flops = sum(node.work.forward for node in graph.core.prepare().nodes if node.is_mixing)
    assert networks.forward_flops(name, image) == flops


@pytest.mark.parametrize(("name", "image"), CASES)
def test_a_peer_in_layers_computes_what_it_does_whole(name: str, image: int) -> None:
    network = networks.build(name, image).eval()
    images = torch.randn(1, 3, min(image, 64), min(image, 64))
    with torch.no_grad():
        assert torch.equal(torch.nn.Sequential(*network.layers())(images), network(images))


def test_every_network_is_measured_at_every_batch_asked_for() -> None:
    arguments = compare.parser().parse_args(["infer", "--models", "vgg16@32", "resnet20"])
    found = [(name, job.model, job.image, job.batch) for name, job in compare.jobs(arguments)]
    small, other = ("vgg16@32", "vgg16", 32), ("resnet20", "resnet20", 32)
    assert found == [(*small, 1), (*small, 16), (*other, 1), (*other, 16)]
    arguments = compare.parser().parse_args(["train", "--models", "resnet20"])
    assert [job.batch for _, job in compare.jobs(arguments)] == [128]


def test_a_batch_that_the_ranks_cannot_share_is_a_mistake() -> None:
    asked = ["ranks", "-n", "3", "--models", "resnet20"]
    said = compare.mistake(compare.parser().parse_args(asked))
    assert said == "batch 128 of resnet20 is not a multiple of 3 ranks"
    assert compare.mistake(compare.parser().parse_args([*asked, "--batch", "129"])) is None
    assert compare.mistake(compare.parser().parse_args(["train", "--threads", "0"])) is not None


def test_networks_that_differ_are_not_compared() -> None:
    ours = {"parameters": 3, "forward_flops": 7}
    compare.check_same(ours, dict(ours))
    with pytest.raises(Unavailable, match="another network: forward_flops 8, ours has 7"):
        compare.check_same(ours, ours | {"forward_flops": 8})


def test_a_worker_takes_turns_and_tells_its_memory() -> None:
    with Worker("ours", SMALL) as worker:
        samples = alternate([worker], 0.01, 2)[0]
        assert worker.facts["parameters"] == 61_706
    assert samples.turns == 2
    assert len(samples.seconds) == len(samples.cpu_seconds) >= 2
    assert samples.peak_bytes[0] > 10**6


def test_a_worker_that_cannot_run_says_why() -> None:
    with pytest.raises(Unavailable, match="unknown dtype 'int3'"):
        Worker("ours", Job("lenet5", 32, 4, variant="train", dtype="int3"))
    with pytest.raises(Unavailable, match=r"No module named peers\.nobody"):
        Worker("nobody", SMALL)


def test_a_worker_that_ends_between_turns_is_named() -> None:
    with Worker("ours", SMALL) as worker:
        worker.run(1)
        with pytest.raises(Unavailable, match=r"ours stopped: .*KeyError: 'steps'"):
            worker.ask({})


def test_a_step_with_an_infinite_loss_is_no_measurement() -> None:
    with pytest.raises(ArithmeticError, match="inf"):
        serving.timed(serving.Work(lambda: float("inf"), {}), 1)


def test_a_step_takes_as_long_as_its_slowest_rank() -> None:
    samples = Samples()
    rank = {"cpu_seconds": [1.0, 1.0], "peak_bytes": 5, "build_peak_bytes": 6, "idle_share": 0.0}
    samples.add([rank | {"seconds": [1.0, 4.0]}, rank | {"seconds": [2.0, 3.0]}])
    assert samples.seconds == [2.0, 4.0]
    assert samples.cpu_seconds == [2.0, 2.0]
    assert samples.peak_bytes == [5, 5]


def test_a_turn_has_at_least_one_step() -> None:
    assert steps_of_a_turn(1.0, 0.3) == 3
    assert steps_of_a_turn(1.0, 30.0) == 1


def test_the_best_peer_of_a_network_counts() -> None:
    rows = [row("eager", 3.0, 1.0), row("compile", 2.0, 1.0), row("eager", 8.0, 1.0, network="b")]
    table = compare_tables.markdown(rows)
    assert "| net (8) | 8 | 3.00x | 2.00x | compile | 4 | **2.00x** | 1.00x | 1 | 1 |" in table
    assert "| b (8) | 8 | 8.00x |  | eager | 1 | **8.00x** |" in table
    assert "geometric mean 4.00x, worst 2.00x (net (8))" in table


def test_what_did_not_run_is_named_with_its_reason() -> None:
    missing = {"network": "net", "batch": 8, "peer": "compile", "unavailable": "no compiler"}
    alone = {"network": "b", "batch": 8, "peer": "eager", "ours_unavailable": "no bf16"}
    table = compare_tables.markdown([row("eager", 3.0, 1.0), missing, alone | {"theirs": side(2)}])
    assert "| net (8) | 8 | 3.00x | n/a | eager |" in table
    assert "| b (8) | n/a | n/a |  | eager | 4 | **n/a** |" in table
    assert "compile: n/a, no compiler" in table
    assert "ours: n/a, no bf16" in table
