"""What a cluster's link gives to hpmp's transport, and the delay that makes it what is wished.

As a program it is one of two ranks: `ping.py SIZE REPEATS`, pairs of them; prints JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cluster.emulated import Cluster

SMALL, LARGE = 8, 16 * 2**20
SMALL_REPEATS, LARGE_REPEATS = 200, 5
CALIBRATIONS = 2
NEAR = 0.05  # what is measured may differ so much from what is wished


@dataclass(frozen=True)
class Measured:
    """One way, between hosts 0 and 1, beside what is wished; medians."""

    latency_seconds: float
    bytes_per_second: float
    wished_latency_seconds: float
    wished_bytes_per_second: float
    switch_share: float

    @property
    def is_near(self) -> bool:
        latency = abs(self.latency_seconds / self.wished_latency_seconds - 1)
        return (
            latency <= NEAR and self.bytes_per_second >= (1 - NEAR) * self.wished_bytes_per_second
        )

    def text(self) -> str:
        return (
            f"ping-pong of {SMALL} B: {self.latency_seconds * 1e6:.1f} us one way (wished "
            f"{self.wished_latency_seconds * 1e6:.1f}), of {LARGE >> 20} MiB: "
            f"{self.bytes_per_second * 8e-9:.3f} Gbit/s (wished "
            f"{self.wished_bytes_per_second * 8e-9:.3f}), switch {self.switch_share:.0%} of a core"
        )


def ping(cluster: Cluster, *pairs: int) -> list[list[float]]:
    """Seconds one way of every repeat; pairs: size, repeats, size, repeats, ..."""
    environ = cluster.environment()
    words = [sys.executable, "-P", str(Path(__file__).resolve()), *map(str, pairs)]
    command = [environ["HPMP_MPIEXEC"], "-n", "2", *words]
    done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, text=True, check=True)
    found: list[list[float]] = json.loads(done.stdout)
    return found


def calibrated(cluster: Cluster) -> float:
    """Sets the delay with which a small message takes the wished time; returns the hosts' own."""
    own, delay = 0.0, 0.0
    for turn in range(CALIBRATIONS):  # waking up late is part of a delay, not of no delay
        cluster.set_delay(delay)
        taken = median(ping(cluster, SMALL, SMALL_REPEATS)[0])
        own = own if turn else taken
        delay = max(0.0, delay + cluster.state.latency_seconds - taken)
    cluster.set_delay(delay)
    return own


def measured(cluster: Cluster) -> Measured:
    state, before = cluster.state, cluster.switch_cpu_seconds()
    small, large = ping(cluster, SMALL, SMALL_REPEATS, LARGE, LARGE_REPEATS)
    used = cluster.switch_cpu_seconds() - before
    return Measured(
        median(small),
        LARGE / median(large),
        state.latency_seconds,
        state.bytes_per_second,
        used / (2 * (sum(small) + sum(large))),
    )


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def main() -> None:
    from pyhpmp import world

    ranks = world.current()
    peer, core, pairs = 1 - ranks.rank, ranks.communicator(), list(map(int, sys.argv[1:]))
    core.ping_pong(peer, SMALL, SMALL_REPEATS)  # connects, and opens TCP's window
    found = []
    for size, repeats in zip(pairs[::2], pairs[1::2], strict=True):
        found.append(core.ping_pong(peer, size, repeats).tolist())
    if ranks.is_root:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
