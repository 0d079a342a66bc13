"""The cells of `claims.py`: networks, ranks, batches and machines, and the best plan of one."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from typing import Any

import pyhpmp
from pyhpmp import planning
from pyhpmp.candidates import Candidate
from pyhpmp.request import Request

NETWORKS = (
    "alexnet",
    "vgg16",
    "vgg16@32",
    "resnet18",
    "resnet50",
    "resnet152",
    "mobilenet_v2",
    "densenet121",
    "googlenet",
)
RANKS = (2, 4, 8, 16)
BATCHES = (32, 128, 256)
GBIT = 1e9 / 8


def _cpu(gbit: float) -> dict[str, float]:
    """A rank of 100 GFLOP/s and 10 GB/s."""
    return {
        "flops_per_second": 100e9,
        "memory_bytes_per_second": 10e9,
        "link_bytes_per_second": gbit * GBIT,
        "link_latency_seconds": 50e-6,
    }


def _gpu(gbit: float) -> dict[str, float]:
    """A rank of 10 TFLOP/s and 700 GB/s; what is bound by memory scales with it."""
    return {
        "flops_per_second": 10e12,
        "memory_bytes_per_second": 700e9,
        "pack_bytes_per_second": 350e9,
        "transport_bytes_per_second": 350e9,
        "conv_load_seconds": 16 / 700e9,
        "update_seconds_per_elem": 24 / 700e9,
        "conv_weight_forward_seconds": 4 / 700e9,
        "conv_weight_backward_seconds": 8 / 700e9,
        "dense_weight_forward_seconds": 4 / 700e9,
        "dense_weight_backward_seconds": 8 / 700e9,
        "task_overhead_seconds": 10e-6,
        "link_bytes_per_second": gbit * GBIT,
        "link_latency_seconds": 20e-6,
    }


MACHINES = {
    "cpu-1": _cpu(1),
    "cpu-10": _cpu(10),
    "gpu-10": _gpu(10),
    "gpu-25": _gpu(25),
    "gpu-100": _gpu(100),
}
VOLUME = "volume"  # stands for the machine where the objective is volume: it depends on none


def bn_group(ranks: int, batch: int) -> int:
    """Samples that share batch statistics: few enough for 4K shards, at least 2, at most 8."""
    return min(8, max(2, batch // (4 * ranks)))


def cells(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    machines = [*arguments.machines, VOLUME] if arguments.volume else arguments.machines
    every = itertools.product(arguments.networks, arguments.ranks, arguments.batches, machines)
    for network, ranks, batch, machine in every:
        yield {"network": network, "ranks": ranks, "batch": batch, "machine": machine}


def request_of(cell: dict[str, Any], seconds: float, patience: float = 1.0) -> Request:
    volume = cell["machine"] == VOLUME
    return Request(
        ranks=cell["ranks"],
        batch=cell["batch"],
        objective="volume" if volume else "time",
        bn_group=bn_group(cell["ranks"], cell["batch"]),
        machine={} if volume else MACHINES[cell["machine"]],
        seconds=seconds,
        patience=patience,
    )


def load(network: str) -> pyhpmp.Graph:
    name, _, side = network.partition("@")
    return pyhpmp.load(f"zoo:{name}", image=int(side) if side else None)


def ours(best: dict[str, Candidate], request: Request) -> str:
    """The strategy of the best plan: the first by the request's objective."""
    return min(best, key=lambda name: _order(best[name], request))


def _order(candidate: Candidate, request: Request) -> tuple[float, ...]:
    figures = candidate.figures
    if request.objective == "time":
        return (figures.step_seconds,)
    excess = max(0.0, figures.imbalance - request.epsilon - planning.EPSILON_SLACK)
    return excess, figures.activation_elems + figures.parameter_elems


def key(cell: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(cell[name] for name in ("network", "ranks", "batch", "machine"))
