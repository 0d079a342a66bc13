"""An emulated cluster from the command line: K hosts on this machine, one MPI rank on each.

    python bench/cluster/cluster.py up -n 4 --network 1Gbit/50us    # says what its links give
    python bench/cluster/cluster.py run -- hpmp-run zoo:resnet20 -n 4 --network 1Gbit/50us
    python bench/cluster/cluster.py exec 1 -- ping -c 3 10.77.0.1   # on one host
    python bench/cluster/cluster.py show                            # links, and bytes sent
    python bench/cluster/cluster.py down

`run` sets HPMP_MPIEXEC, so that hpmp-run and hpmp-bench put rank i on host i, with TCP alone
between them. Where hosts outnumber cores, rate and latency are stretched by hosts / cores
(`--no-scale`). Needs root. `down` does not end what still runs on the hosts: it loses the network.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cluster import ping
from cluster.emulated import Cluster, ClusterError


def up(arguments: argparse.Namespace) -> int:
    network, name = arguments.network, arguments.name
    cluster = Cluster(arguments.hosts, network, scale=arguments.scale, name=name)
    state = cluster.state
    print(
        f"{state.hosts} hosts on {len(os.sched_getaffinity(0))} cores, {network}; time is "
        f"stretched {state.stretch:g} times: {state.bytes_per_second * 8e-9:g} Gbit/s, "
        f"{state.latency_seconds * 1e6:g} us"
    )
    own = ping.calibrated(cluster)
    if own > state.latency_seconds:
        print(f"the hosts alone take {own * 1e6:.1f} us, more than is wished: no delay is added")
    found = ping.measured(cluster)
    print(found.text())
    if not found.is_near:
        print(f"not within {ping.NEAR:.0%} of what is wished: another load, or too few cores")
    return 0


def run(arguments: argparse.Namespace) -> int:
    environ = Cluster.attached(arguments.name).environment()
    return subprocess.run(arguments.words, env=environ).returncode


def execute(arguments: argparse.Namespace) -> int:
    cluster = Cluster.attached(arguments.name)
    if arguments.host >= cluster.state.hosts:
        raise ClusterError(f"no host {arguments.host}; there are {cluster.state.hosts}, from 0")
    return subprocess.run(cluster.command(arguments.host, arguments.words)).returncode


def show(arguments: argparse.Namespace) -> int:
    cluster = Cluster.attached(arguments.name)
    print(ping.measured(cluster).text())
    for namespace, sent in zip(cluster.state.namespaces, cluster.sent_bytes(), strict=True):
        print(f"{namespace} sent {sent} bytes")
    return 0


def down(arguments: argparse.Namespace) -> int:
    Cluster.attached(arguments.name).down()
    return 0


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    result.add_argument("--name", default="hpmp", help="of the cluster and its namespaces")
    commands = result.add_subparsers(required=True)
    made = commands.add_parser("up")
    made.add_argument("-n", "--hosts", type=int, default=2)
    made.add_argument("--network", default="1Gbit/50us", help="of every host's link")
    made.add_argument("--no-scale", dest="scale", action="store_false", help="never stretch time")
    made.set_defaults(action=up)
    ran = commands.add_parser("run")
    ran.add_argument("words", nargs="+", metavar="COMMAND")
    ran.set_defaults(action=run)
    executed = commands.add_parser("exec")
    executed.add_argument("host", type=int)
    executed.add_argument("words", nargs="+", metavar="COMMAND")
    executed.set_defaults(action=execute)
    commands.add_parser("show").set_defaults(action=show)
    commands.add_parser("down").set_defaults(action=down)
    return result


def main(words: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(words)
    try:
        code: int = arguments.action(arguments)
        return code
    except ClusterError as error:
        print(f"cluster: {error}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
