"""This machine's profile for one network: measured when it first runs, kept for the next time.

Ops whose like was measured before, on the same processors with as many ranks, are not measured
again, so that the same command plans the same way from its second run on.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from pyhpmp import _core, world
from pyhpmp.bench import comm, kernels
from pyhpmp.bench.summary import machine_facts
from pyhpmp.devices import CPU, Device
from pyhpmp.errors import InvalidArgumentError
from pyhpmp.profile import Profile, read_profile

QUICK_REPEATS, QUICK_SECONDS = 5, 0.1
LINK_SIZES = (1, 2**20)
LINK_REPEATS = 5


@dataclass(frozen=True)
class Own:
    """ops: measured now. path: where the profile is kept, or None where it cannot be."""

    profile: Profile
    ops: int
    seconds: float
    path: Path | None


def own_profile(
    graph: _core.Graph,
    *,
    dtype: str = "fp32",
    threads: int = 1,
    device: Device = CPU,
    numerics: str = "fp32",
) -> Own:
    """What the ranks of this run need for `graph`, a prepared one; collective.

    Args:
        graph: whose operators are measured.
        dtype: of activations.
        threads: of a rank on a CPU.
        device: this rank's.
        numerics: of fp32 products on a GPU.
    """
    ranks, began = world.current(), time.perf_counter()
    cores = ranks.gather(len(os.sched_getaffinity(0)))
    hosts = list(zip(ranks.hosts(), cores, strict=True))
    computes = [device.kind, numerics if device.kind == "cuda" else "", dtype]
    target = ranks.on_root(lambda: _path(hosts, computes, threads))
    known = ranks.on_root(lambda: _known(target))
    path: Path | None = target
    effort = kernels.Effort(
        QUICK_REPEATS, QUICK_SECONDS, threads, 1, dtype=dtype, device=device, numerics=numerics
    )
    results = kernels.measured([graph], effort, known={rate.shape for rate in known.rates})
    if results or not known.speeds:
        merged = known.merged(_measured(results, effort, hosts))
        path = ranks.on_root(lambda: _kept(merged, target))
        # As the next run will read it.
        known = ranks.on_root(lambda: _known(target)) if path else merged
        _forget_peak()
    shares = _shares(hosts, threads) if device.kind == "cpu" else ()
    shared = replace(known, rank_speed=shares)
    return Own(shared, len(results), time.perf_counter() - began, path)


def _measured(
    results: list[kernels.Measured], effort: kernels.Effort, hosts: list[tuple[str, int]]
) -> Profile:
    figures = effort.device.figures(effort.repeats, effort.threads)
    facts = machine_facts(effort.threads, effort.device.kind) | {"ranks": len(hosts)}
    weights = kernels.weight_times(effort)
    profile = kernels.profile_of(results, weights, figures, facts, effort.dtype)
    if len(hosts) == 1:
        return profile
    timings = list(comm.neighbours(LINK_SIZES, LINK_REPEATS, effort.device))
    one_host = len({name for name, _ in hosts}) == 1
    return profile.merged(comm.profile_of(timings, facts, one_host=one_host))


def _forget_peak() -> None:
    """What measuring took is no part of the run's peak memory."""
    with contextlib.suppress(OSError):  # not every kernel lets one
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _shares(hosts: list[tuple[str, int]], threads: int) -> tuple[float, ...]:
    """By rank, of its cores: less than 1 where a host has more threads than cores."""
    ranks_of = Counter(name for name, _ in hosts)
    shares = tuple(min(1.0, cores / (ranks_of[name] * threads)) for name, cores in hosts)
    return shares if min(shares) < 1 else ()


def _path(hosts: list[tuple[str, int]], computes: list[str], threads: int) -> Path:
    key = json.dumps([machine_facts(threads), hosts, computes], sort_keys=True)
    name = f"machine-{hashlib.sha256(key.encode()).hexdigest()[:12]}.json"
    folder = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(folder) / "hpmp" / name


def _known(path: Path) -> Profile:
    try:
        return read_profile(path)
    except InvalidArgumentError:  # not there, or of another version
        return Profile()


def _kept(profile: Profile, path: Path) -> Path | None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        profile.save(path)
    except (OSError, InvalidArgumentError):  # a home that cannot be written is no reason to stop
        return None
    return path
