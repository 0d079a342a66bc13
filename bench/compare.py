"""Our engine beside PyTorch and onnxruntime, in turns on the same cores: ratios of medians.

    python bench/compare.py train                       # fp32 training, one thread
    python bench/compare.py train --dtype bf16
    python bench/compare.py train --models resnet18 vgg16@32 --peers eager channels_last
    python bench/compare.py infer --batch 1 16          # onnxruntime too
    python bench/compare.py ranks -n 2                  # DDP and pipelining, over gloo
    python bench/compare.py ranks -n 2 --network 1Gbit/50us   # on an emulated cluster, as root

Every peer is a process that builds its network once and then waits without using the processor
until it is asked for steps. Ours and a peer take turns; a ratio is median(peer's step) /
median(our step), so that above 1 ours is faster. Networks have the same parameters and operations,
which is checked.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import compare_tables
from cluster import emulated
from cluster.emulated import Cluster, ClusterError
from peers.driver import Samples, Worker, alternate
from peers.job import Job, Unavailable

from pyhpmp.bench.summary import machine_facts, summary

LEAST_TURNS = 5
SMALL_IMAGE, IMAGE = 32, 224
Row = dict[str, Any]


@dataclass(frozen=True)
class Peer:
    """module: of `peers`. variant: as that module calls it.

    process_per_rank: it does not start its ranks itself.
    """

    module: str
    variant: str
    process_per_rank: bool = False


TORCH = ("eager", "channels_last", "compile", "compile_channels_last")
PEERS = {
    "train": {name: Peer("torch_train", name) for name in TORCH},
    "infer": {name: Peer("torch_infer", name) for name in TORCH}
    | {"onnxruntime": Peer("onnxruntime_infer", "")},
    "ranks": {
        "ddp": Peer("ddp", "eager", True),
        "ddp_channels_last": Peer("ddp", "channels_last", True),
        "pipeline": Peer("pipeline", "", True),
    },
}
# Samples of a training step; `name@side` is the variant for such images.
BATCHES = {
    "alexnet": 16,
    "vgg16": 8,
    "resnet18": 16,
    "resnet50": 8,
    "mobilenet_v2": 16,
    "resnet20": 128,
    "vgg16@32": 64,
}
BATCHES_OF_RANKS = {**BATCHES, "vgg16": 16, "resnet50": 16}  # of all ranks together
INFERENCE_BATCHES = (1, 16)


def job_of(network: str, batch: int, arguments: argparse.Namespace) -> Job:
    name, _, side = network.partition("@")
    image = int(side) if side else SMALL_IMAGE if name == "resnet20" else IMAGE
    dtype, threads, profile = arguments.dtype, arguments.threads, arguments.profile
    network = arguments.network
    return Job(
        name, image, batch, "", dtype, threads, arguments.ranks, profile=profile, network=network
    )


def jobs(arguments: argparse.Namespace) -> Iterator[tuple[str, Job]]:
    default = BATCHES_OF_RANKS if arguments.mode == "ranks" else BATCHES
    for network in arguments.models or default:
        for batch in arguments.batch or [default[network]]:
            yield network, job_of(network, batch, arguments)


def with_variant(job: Job, variant: str) -> Job:
    return dataclasses.replace(job, variant=variant)


def compared(
    network: str, job: Job, cluster: Cluster | None, arguments: argparse.Namespace
) -> Iterator[Row]:
    """One row per peer; ours is built once and waits between them."""
    purpose = "infer" if arguments.mode == "infer" else "train"
    base = vars(job) | {"mode": arguments.mode, "network": network, "link": job.network}
    for unused in ("variant", "socket", "model"):
        del base[unused]
    with contextlib.ExitStack() as stack:
        ours: Worker | None = None
        try:
            ours = stack.enter_context(Worker("ours", with_variant(job, purpose), cluster=cluster))
        except Unavailable as error:
            base["ours_unavailable"] = str(error)
        for name in arguments.peers or PEERS[arguments.mode]:
            yield base | {"peer": name} | against(ours, name, job, cluster, arguments)


def against(
    ours: Worker | None,
    name: str,
    job: Job,
    cluster: Cluster | None,
    arguments: argparse.Namespace,
) -> Row:
    """What a peer gave beside ours, or why there is nothing."""
    peer = PEERS[arguments.mode][name]
    seconds = arguments.seconds / len(arguments.peers or PEERS[arguments.mode])
    processes = job.ranks if peer.process_per_rank else 1
    try:
        with Worker(peer.module, with_variant(job, peer.variant), processes, cluster) as theirs:
            if ours is not None:
                check_same(ours.facts, theirs.facts)
            workers = [theirs] if ours is None else [ours, theirs]
            samples = alternate(workers, seconds, max(arguments.turns, LEAST_TURNS))
            facts = theirs.facts
    except Unavailable as error:
        return {"unavailable": str(error)}
    row = {"theirs": side(samples[-1], facts)}
    return row if ours is None else row | {"ours": side(samples[0], ours.facts)}


def check_same(ours: Row, theirs: Row) -> None:
    """Both must be the same network."""
    for what in ("parameters", "forward_flops"):
        if ours[what] != theirs[what]:
            raise Unavailable(f"another network: {what} {theirs[what]}, ours has {ours[what]}")


def side(samples: Samples, facts: Row) -> Row:
    return {
        "step_seconds": summary(samples.seconds),
        "cpu_seconds": summary(samples.cpu_seconds),
        "peak_bytes": samples.peak_bytes,
        "build_peak_bytes": samples.build_peak_bytes,
        "idle_share": samples.idle_share,
        "turns": samples.turns,
        "facts": facts,
    }


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    modes = result.add_subparsers(dest="mode", required=True)
    _flags(modes.add_parser("train", help="training steps on one process"), "train", ())
    _flags(modes.add_parser("infer", help="forward passes"), "infer", INFERENCE_BATCHES)
    ranks = modes.add_parser("ranks", help="training steps on several processes")
    _flags(ranks, "ranks", ())
    ranks.add_argument("-n", "--ranks", type=int, default=2, help="processes of each side")
    ranks.add_argument("--profile", help="of the machine, for our planner (hpmp-bench writes it)")
    ranks.add_argument("--network", help="one host per rank, joined so: 1Gbit/50us; needs root")
    return result


def _flags(command: argparse.ArgumentParser, mode: str, batches: Sequence[int]) -> None:
    command.set_defaults(ranks=1, profile=None, network=None)
    add = command.add_argument
    add("--models", nargs="+", choices=list(BATCHES), metavar="NAME", help="by default all")
    add("--peers", nargs="+", choices=list(PEERS[mode]), metavar="NAME", help="by default all")
    add("--batch", nargs="+", type=int, default=batches, help="samples of a step")
    add("--dtype", choices=("fp32",) if mode == "ranks" else ("fp32", "bf16"), default="fp32")
    add("--threads", type=int, default=1, help="of each process")
    add("--seconds", type=float, default=60.0, help="per network and batch, without building")
    add("--turns", type=int, default=LEAST_TURNS, help="of ours and of each peer")
    add("--json", type=Path, metavar="FILE", help="append one JSON line per network and peer")


def mistake(arguments: argparse.Namespace) -> str | None:
    """What cannot be measured as asked for, if anything."""
    least = min(arguments.threads, arguments.ranks, arguments.turns, *(arguments.batch or [1]))
    if least < 1 or arguments.seconds <= 0:
        return "--batch, --ranks, --threads and --turns are at least 1, --seconds is above 0"
    for network, job in jobs(arguments):
        if job.batch % job.ranks:
            return f"batch {job.batch} of {network} is not a multiple of {job.ranks} ranks"
    return None


@contextlib.contextmanager
def _cluster(arguments: argparse.Namespace) -> Iterator[Cluster | None]:
    """The hosts of the ranks, where a network is wished for."""
    if arguments.network is None:
        yield None
        return
    with emulated.calibrated(arguments.ranks, arguments.network, "cmp") as (cluster, link):
        print(link.text(), file=sys.stderr, flush=True)
        yield cluster


def _rows(cluster: Cluster | None, arguments: argparse.Namespace) -> list[Row]:
    """Printed, and written, as they are found."""
    stamp = {"machine": machine_facts(arguments.threads), "command": shlex.join(sys.argv)}
    rows: list[Row] = []
    for network, job in jobs(arguments):
        for row in compared(network, job, cluster, arguments):
            rows.append(row | stamp)
            print(compare_tables.line(row), file=sys.stderr, flush=True)
            if arguments.json:
                with arguments.json.open("a") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
    return rows


def main() -> None:
    words = parser()
    arguments = words.parse_args()
    if problem := mistake(arguments):
        words.error(problem)
    try:
        with _cluster(arguments) as cluster:
            rows = _rows(cluster, arguments)
    except ClusterError as error:
        words.error(str(error))
    print(compare_tables.markdown(rows))


if __name__ == "__main__":
    main()
