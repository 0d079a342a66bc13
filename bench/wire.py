"""What strategies put on a wire and how long their steps take, beside what the plan predicts.

    python bench/wire.py --json wire.jsonl              # as root; 2 and 4 hosts, 1 Gbit/s
    python bench/wire.py --hosts 4 --networks vgg16@32:128 --network 10Gbit/50us

Ranks run on the hosts of an emulated cluster (cluster/). Bytes are those that the interfaces count,
headers and acknowledgements included. Times are divided by the cluster's stretch. A pair of
strategies whose predicted steps differ by more than 10% is in order if the measured ones differ the
same way.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from cluster import emulated
from cluster.emulated import Cluster, ClusterError
from cluster.steps import Wanted
from paths import python_path
from rich.console import Console
from rich.table import Table

from pyhpmp.bench.summary import machine_facts

STRATEGIES = ("data", "layer", "filter", "owt", "hypergraph")
NETWORKS = ("resnet20:128", "vgg16@32:128", "alexnet:32")
APART = 1.1  # predictions nearer than this have no order
Row = dict[str, Any]


def wanted(text: str, arguments: argparse.Namespace) -> Wanted:
    """Of NAME[@SIDE]:BATCH."""
    network, _, batch = text.partition(":")
    name, _, side = network.partition("@")
    return Wanted(
        name,
        int(side) if side else None,
        int(batch or 64),
        list(arguments.strategies),
        arguments.network,
        arguments.profile,
        arguments.steps,
        arguments.plan_seconds,
    )


def measured(cluster: Cluster, what: Wanted) -> list[Row]:
    environ = cluster.environment()
    environ["PYTHONPATH"] = python_path()
    environ["OMP_NUM_THREADS"] = "1"
    words = [sys.executable, "-P", "-m", "cluster.steps", json.dumps(dataclasses.asdict(what))]
    command = [environ["HPMP_MPIEXEC"], "-n", str(cluster.state.hosts), *words]
    done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, text=True, check=True)
    rows: list[Row] = json.loads(done.stdout)
    return rows


def in_order(rows: list[Row]) -> tuple[int, int]:
    """Pairs whose measured steps have the order of their predicted ones, of those that have one."""
    pairs = [
        sorted(pair, key=lambda row: float(row["predicted_seconds"]))
        for pair in itertools.combinations(rows, 2)
    ]
    told = [
        (fast, slow)
        for fast, slow in pairs
        if slow["predicted_seconds"] > APART * fast["predicted_seconds"]
    ]
    return sum(fast["seconds"] < slow["seconds"] for fast, slow in told), len(told)


def show(network: str, hosts: int, rows: list[Row], console: Console) -> None:
    table = Table(
        *("strategy", "predicted, MB", "on the wire", "messages", "predicted, ms", "measured, ms"),
        title=f"{network}, {hosts} hosts",
    )
    good = [row for row in rows if "unavailable" not in row]
    for row in good:
        table.add_row(
            row["strategy"],
            f"{row['predicted_bytes'] / 1e6:.2f}",
            f"{row['wire_bytes'] / row['predicted_bytes'] - 1:+.1%}",
            str(row["messages"]),
            f"{row['predicted_seconds'] * 1e3:.0f}",
            f"{row['seconds'] * 1e3:.0f}",
        )
    console.print(table)
    for row in rows:
        if "unavailable" in row:
            console.print(f"{row['strategy']}: {row['unavailable']}")
    right, told = in_order(good)
    console.print(f"{right} of {told} pairs in the predicted order")


def on_cluster(hosts: int, arguments: argparse.Namespace, console: Console) -> None:
    with emulated.calibrated(hosts, arguments.network, "wire") as (cluster, link):
        stretch = cluster.state.stretch
        console.print(f"{hosts} hosts, stretch {stretch:g}: {link.text()}")
        for network in arguments.networks:
            rows = measured(cluster, wanted(network, arguments))
            for row in rows:
                if "seconds" in row:
                    row["seconds"] /= stretch
            show(network, hosts, rows, console)
            if arguments.json:
                facts = {"network": network, "hosts": hosts, "link": arguments.network}
                facts |= {"stretch": stretch, "measured_link": dataclasses.asdict(link)}
                save(arguments.json, [facts | row for row in rows])


def save(path: Path, rows: list[Row]) -> None:
    facts = {"machine": machine_facts(1), "command": sys.argv}
    with path.open("a", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row | facts) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", nargs="+", type=int, default=(2, 4))
    parser.add_argument("--networks", nargs="+", default=NETWORKS, metavar="NAME[@SIDE]:BATCH")
    parser.add_argument("--strategies", nargs="+", default=STRATEGIES, choices=STRATEGIES)
    parser.add_argument("--network", default="1Gbit/50us", help="of every host's link")
    parser.add_argument("--profile", help="of the machine, from hpmp-bench kernels")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--plan-seconds", type=float, default=5.0)
    parser.add_argument("--json", type=Path, help="append one line per strategy")
    arguments = parser.parse_args()
    try:
        for hosts in arguments.hosts:
            on_cluster(hosts, arguments, Console())
    except ClusterError as error:
        print(f"wire: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
