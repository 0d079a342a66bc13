"""Latency and bandwidth between pairs of ranks, and sums over groups, through hpmp's transport."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyhpmp import world
from pyhpmp.bench.summary import median, summary, undisturbed
from pyhpmp.devices import CPU, Device
from pyhpmp.profile import Profile

SIZES = tuple(4**i for i in range(14))  # 1 B to 64 MB
QUICK_SIZES = (1, 4096, 4**10)
# A message of this size costs its latency; a longer one than this its bytes.
SMALL_BYTES, LARGE_BYTES = 16, 2**20
BYTES_PER_SIZE = 2**28  # so that large messages get few repeats


@dataclass(frozen=True)
class Timing:
    """kind: ping-pong of `ranks` (two of them), or all-reduce over ranks [0, ranks[-1]].

    seconds: one way, or of the whole sum; of every repeat, the slowest rank's.
    """

    kind: str
    ranks: tuple[int, ...]
    size: int
    seconds: tuple[float, ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "ranks": list(self.ranks),
            "bytes": self.size,
            "seconds": summary(self.seconds),
            "bytes_per_second": self.size / median(self.seconds),
        }


def timings(sizes: tuple[int, ...], repeats: int, device: Device = CPU) -> Iterator[Timing]:
    """Collective; every rank gets all results.

    device: of this rank, between whose memory and that of others ping-pongs go; sums are of arrays
        of the host.
    """
    ranks = world.current()
    for low in range(ranks.size):
        for high in range(low + 1, ranks.size):
            for size in sizes:
                yield _ping_pong(low, high, size, _repeats(size, repeats), device)
    for group in range(2, ranks.size + 1):
        for size in sizes:
            if size >= 4:
                yield _all_reduce(group, size, _repeats(size, repeats))


def neighbours(sizes: tuple[int, ...], repeats: int, device: Device = CPU) -> Iterator[Timing]:
    """Ping-pong of every rank with the next one; collective."""
    for low in range(world.current().size - 1):
        for size in sizes:
            yield _ping_pong(low, low + 1, size, _repeats(size, repeats), device)


def _repeats(size: int, most: int) -> int:
    return max(5, min(most, BYTES_PER_SIZE // size))


def _ping_pong(low: int, high: int, size: int, repeats: int, device: Device) -> Timing:
    ranks = world.current()
    own: list[float] = []
    if ranks.rank in (low, high):
        peer = low + high - ranks.rank
        link = ranks.communicator()
        if device.kind == "cpu":
            own = link.ping_pong(peer, size, repeats).tolist()
        else:
            own = link.link(peer, size, repeats, **device.bench_options("fp32")).tolist()
    return Timing("ping_pong", (low, high), size, _slowest(ranks.gather(own)))


def _all_reduce(group: int, size: int, repeats: int) -> Timing:
    ranks = world.current()
    own: list[float] = []
    if ranks.rank < group:
        own = ranks.communicator().all_reduce(group, size, repeats).tolist()
    return Timing("all_reduce", tuple(range(group)), size, _slowest(ranks.gather(own)))


def _slowest(by_rank: list[list[float]]) -> tuple[float, ...]:
    return tuple(np.max([own for own in by_rank if own], axis=0).tolist())


def profile_of(
    found: list[Timing],
    facts: dict[str, Any],
    *,
    one_host: bool,
) -> Profile:
    """The link of the slowest pair: its latency, and the bandwidth of its long messages.

    one_host: a message is two copies by its ends, each half of its time.
    """
    latency: dict[tuple[int, ...], list[float]] = defaultdict(list)
    bandwidth: dict[tuple[int, ...], list[float]] = defaultdict(list)
    for timing in found:
        if timing.kind == "ping_pong" and timing.size <= SMALL_BYTES:
            latency[timing.ranks].append(undisturbed(timing.seconds))
        if timing.kind == "ping_pong" and timing.size >= LARGE_BYTES:
            bandwidth[timing.ranks].append(timing.size / undisturbed(timing.seconds))
    speeds = {
        "link_latency_seconds": max(map(median, latency.values())),
        "link_bytes_per_second": min(map(median, bandwidth.values())),
    }
    if one_host:
        speeds["transport_bytes_per_second"] = 2 * speeds["link_bytes_per_second"]
    return Profile(speeds, measured={"comm": facts | {"ranks": max(latency)[1] + 1}})
