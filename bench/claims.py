"""The tables of the README: every strategy against ours, on many networks, ranks and machines.

    python bench/claims.py                              # every cell; JSON lines and Markdown
    python bench/claims.py --networks alexnet --ranks 4 --batches 128 --machines gpu-10
    python bench/claims.py --markdown                   # the tables again, from the JSON lines

A cell is a network, a number of ranks, a global batch and a machine. Each is planned for time, and
each network, ranks and batch also for volume. Every strategy's plan is made and passes the
verifier, except where it would have more than 200,000 messages: such a row is predicted, and named
under `not_made`. Cells that the JSON lines already hold are not planned again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import claims_tables

import pyhpmp
from pyhpmp import planning
from pyhpmp.candidates import Candidate
from pyhpmp.errors import HpmpError
from pyhpmp.request import Request
from pyhpmp.strategies import BASELINES, ELEMENT_BYTES

HERE = Path(__file__).parent
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
MOST_MESSAGES = 200_000  # of a plan that is made to be verified
VOLUME = "volume"  # stands for the machine where the objective is volume: it depends on none


def bn_group(ranks: int, batch: int) -> int:
    """Samples that share batch statistics: few enough for 4K shards, at least 2, at most 8."""
    return min(8, max(2, batch // (4 * ranks)))


def cells(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    machines = [*arguments.machines, VOLUME] if arguments.volume else arguments.machines
    every = itertools.product(arguments.networks, arguments.ranks, arguments.batches, machines)
    for network, ranks, batch, machine in every:
        yield {"network": network, "ranks": ranks, "batch": batch, "machine": machine}


def request_of(cell: dict[str, Any], seconds: float, patience: float) -> Request:
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


def load(network: str) -> Any:
    name, _, side = network.partition("@")
    return pyhpmp.load(f"zoo:{name}", image=int(side) if side else None).core.prepare(training=True)


def planned(cell: dict[str, Any], seconds: float, patience: float = 1.0) -> dict[str, Any]:
    """The cell with the figures of every strategy; `ours` is the best plan that was found."""
    graph, request = load(cell["network"]), request_of(cell, seconds, patience)
    began, began_cpu = time.perf_counter(), time.process_time()
    found, refused = planning.tried(graph, request)
    best = planning.leaders(found, request)
    taken, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    made = {name for name, candidate in best.items() if candidate.figures.messages <= MOST_MESSAGES}
    for name in made:
        best[name].plan.verify(graph)
    rows = {name: row(candidate) for name, candidate in best.items()}
    ours = min(rows, key=lambda name: order(rows[name], request))
    return cell | {
        "bn_group": request.bn_group,
        "planning_seconds": taken,
        "planning_cpu_seconds": cpu,
        "ideal_seconds": min(row["busy_seconds"] for row in rows.values()),
        "chosen": ours,
        "ours": rows[ours],
        "strategies": {name: rows.get(name) for name in BASELINES},
        "not_made": sorted(rows.keys() - made),
        "refused": {name: str(why) for name, why in refused.items() if name not in rows},
    }


def order(row: dict[str, Any], request: Request) -> tuple[float, ...]:
    if request.objective == "time":
        return (row["step_seconds"],)
    excess = max(0.0, row["imbalance"] - request.epsilon - planning.EPSILON_SLACK)
    return excess, row["activation_bytes"] + row["parameter_bytes"]


def row(candidate: Candidate) -> dict[str, Any]:
    """Of its plan where that is made, else predicted: the same but for the holes in its arenas."""
    figures = candidate.figures
    return {
        "shards": candidate.shards,
        "activation_bytes": figures.activation_elems * ELEMENT_BYTES,
        "parameter_bytes": figures.parameter_elems * ELEMENT_BYTES,
        "imbalance": figures.imbalance,
        "memory_bytes": figures.memory_bytes,
        "step_seconds": figures.step_seconds,
        "busy_seconds": figures.step_seconds * (1 - figures.bubble_fraction),
    }


def _work(job: tuple[dict[str, Any], float, float]) -> dict[str, Any]:
    cell, seconds, patience = job
    try:
        return planned(cell, seconds, patience)
    except HpmpError as error:
        return cell | {"error": str(error)}


def key(cell: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(cell[name] for name in ("network", "ranks", "batch", "machine"))


def known(path: Path) -> list[dict[str, Any]]:
    """What was planned before, in the order of the cells."""
    if not path.exists():
        return []
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    machines = (*MACHINES, VOLUME)
    return sorted(
        rows,
        key=lambda row: (
            NETWORKS.index(row["network"]),
            row["ranks"],
            row["batch"],
            machines.index(row["machine"]),
        ),
    )


def run(arguments: argparse.Namespace) -> None:
    have = {key(row) for row in known(arguments.out)}
    missing = [cell for cell in cells(arguments) if key(cell) not in have]
    random.Random(0).shuffle(missing)  # so that a run that is cut short is a fair sample
    jobs = [(cell, arguments.plan_seconds, arguments.patience) for cell in missing]
    with (
        multiprocessing.get_context("spawn").Pool(arguments.jobs) as pool,
        arguments.out.open("a", encoding="utf-8") as file,
    ):
        for count, row in enumerate(pool.imap_unordered(_work, jobs), 1):
            file.write(json.dumps(row) + "\n")
            file.flush()
            print(f"{count}/{len(jobs)} {claims_tables.line(row)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--ranks", nargs="+", type=int, default=RANKS)
    parser.add_argument("--batches", nargs="+", type=int, default=BATCHES)
    parser.add_argument("--machines", nargs="*", choices=MACHINES, default=tuple(MACHINES))
    parser.add_argument("--no-volume", dest="volume", action="store_false")
    parser.add_argument("--plan-seconds", type=float, default=10.0)
    parser.add_argument(
        "--patience",
        type=float,
        default=1.0,
        help="wall-clock seconds per second of planning: above 1 on a busy machine (default 1)",
    )
    parser.add_argument("--jobs", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--out", type=Path, default=HERE / "claims.jsonl")
    parser.add_argument("--markdown", action="store_true", help="only write the tables again")
    arguments = parser.parse_args()
    if not arguments.markdown:
        run(arguments)
    claims_tables.write(known(arguments.out), arguments.out.with_suffix(".md"))


if __name__ == "__main__":
    main()
