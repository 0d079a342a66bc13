"""Accuracy against time on an emulated cluster: every strategy of ours, PyTorch's DDP and 1F1B.

    python bench/convergence.py --json convergence.json --plot convergence.svg      # as root
    python bench/convergence.py --hosts 2 --methods hypergraph ddp --target 0.95

One task (learn/task.py), learned by each method in turn until the test set reaches the target. Time
is that of training steps, without evaluations, divided by the cluster's stretch.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import convergence_plot
import numpy as np
from cluster import emulated
from cluster.emulated import Cluster, ClusterError
from learn.task import Task
from paths import python_path

import pyhpmp
from pyhpmp.bench.summary import machine_facts

OURS = ("data", "layer", "filter", "owt", "hypergraph")
THEIRS = ("ddp", "1f1b")
CLASSES = 10  # of the digits
Result = dict[str, Any]


def task_of(method: str, arguments: argparse.Namespace, meeting: Path) -> Task:
    graph = pyhpmp.load(
        f"zoo:{arguments.model}",
        classes=CLASSES,
        image=arguments.image,
        seed=arguments.seed,
    )
    weights = meeting.parent / "weights.npz"
    if not weights.exists():
        np.savez(weights, allow_pickle=False, **graph.params)
    return Task(
        arguments.model,
        graph.input_shape,
        graph.classes,
        str(weights),
        method,
        arguments.hosts,
        arguments.network,
        arguments.batch,
        arguments.epochs,
        arguments.lr,
        arguments.target,
        seed=arguments.seed,
        meeting=str(meeting),
        profile=arguments.profile,
    )


def learned(cluster: Cluster, task: Task) -> Result:
    """The curve of a method; runs its ranks, one per host."""
    environ = cluster.environment()
    environ["PYTHONPATH"] = python_path()
    environ["OMP_NUM_THREADS"] = "1"
    module = "learn.ours" if task.method in OURS else "learn.theirs"
    words = [sys.executable, "-P", "-m", module, task.text()]
    if task.method in OURS:
        command = [environ["HPMP_MPIEXEC"], "-n", str(task.ranks), *words]
        done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, check=True)
        result: Result = json.loads(done.stdout)
        return result
    return answer_of(cluster, words, environ)


def answer_of(cluster: Cluster, words: list[str], environ: dict[str, str]) -> Result:
    """What host 0 prints when `words` run on every host."""
    processes = [
        subprocess.Popen(
            cluster.command(host, words),
            env=environ | {"RANK": str(host)},
            stdout=subprocess.PIPE,
        )
        for host in range(cluster.state.hosts)
    ]
    try:
        said = [process.communicate()[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    codes = [process.returncode for process in processes]
    if any(codes):
        raise SystemExit(f"{words[-2]}: its processes ended with {codes}")
    result: Result = json.loads(said[0])
    return result


def compared(arguments: argparse.Namespace) -> Result:
    """Every method on one cluster."""
    with (
        emulated.calibrated(arguments.hosts, arguments.network, "conv") as (made, link),
        tempfile.TemporaryDirectory() as folder,
    ):
        stretch = made.state.stretch
        print(f"{arguments.hosts} hosts, stretch {stretch:g}: {link.text()}", flush=True)
        curves: dict[str, Result] = {}
        for repeat, method in itertools.product(range(arguments.repeats), arguments.methods):
            task = task_of(method, arguments, Path(folder) / f"meeting-{method}-{repeat}")
            found = learned(made, task)
            for point in found["curve"]:
                point["seconds"] /= stretch
            print(line(method, found["curve"], arguments.target), flush=True)
            curves[method] = faster(curves.get(method), found)
        wanted = {k: v for k, v in vars(arguments).items() if k not in ("json", "plot")}
        facts = {"stretch": stretch, "link": dataclasses.asdict(link), "machine": machine_facts(1)}
        return wanted | facts | {"curves": curves}


def faster(one: Result | None, other: Result) -> Result:
    """The run that took less time, with the seconds of all: other programs only ever add some."""
    runs = [*(one["runs"] if one else []), other["curve"][-1]["seconds"]]
    kept = other if one is None or runs[-1] < min(runs[:-1]) else one
    return kept | {"runs": runs}


def line(method: str, curve: list[dict[str, float]], target: float) -> str:
    last = curve[-1]
    said = f"{method:>10}: {last['accuracy']:.2%} after {last['epoch']} epochs, "
    missed = "" if last["accuracy"] >= target else f", short of {target:.0%}"
    return f"{said}{last['seconds']:.1f} s{missed}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    every = (*OURS, *THEIRS)
    parser.add_argument("--model", default="resnet20", help="of those in peers/networks.py")
    parser.add_argument("--image", type=int, default=32, help="side of its input")
    parser.add_argument("--hosts", type=int, default=4)
    parser.add_argument("--network", default="1Gbit/50us", help="of every host's link")
    parser.add_argument("--methods", nargs="+", choices=every, default=every)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=10, help="at most")
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--target", type=float, default=0.97)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=1, help="in turns; the fastest counts")
    parser.add_argument("--profile", help="of a host (hpmp-bench kernels --save-profile)")
    parser.add_argument("--json", type=Path, help="curves and conditions")
    parser.add_argument("--plot", type=Path, help="picture (.svg or .png)")
    arguments = parser.parse_args()
    try:
        result = compared(arguments)
    except ClusterError as error:
        print(f"convergence: {error}", file=sys.stderr)
        return error.exit_code
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if arguments.plot:
        convergence_plot.draw(result, arguments.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
