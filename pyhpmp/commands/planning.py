"""From flags to a plan; shared by both commands."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace

import pyhpmp
from pyhpmp import devices, launch, plan_files, world
from pyhpmp.bench.own import own_profile
from pyhpmp.engine import share_of_cores
from pyhpmp.profile import Profile


def plan_of(
    graph: pyhpmp.Graph,
    arguments: argparse.Namespace,
    *,
    compare: bool = False,
    note: Callable[[str], None] = lambda text: None,
) -> pyhpmp.Plan:
    """Collective. Raises what `pyhpmp.plan` raises."""
    return pyhpmp.plan(
        graph,
        ranks=arguments.ranks,
        batch=arguments.batch,
        strategy=arguments.strategy,
        objective=arguments.objective,
        shards=arguments.shards,
        epsilon=arguments.epsilon,
        bn=arguments.bn,
        bn_group=arguments.bn_group,
        seed=arguments.seed,
        partitioner=arguments.partitioner,
        network=arguments.network,
        profile=_profile(graph, arguments, note, compare),
        memory=arguments.memory,
        recompute=arguments.recompute,
        training=not arguments.infer,
        dtype=arguments.dtype,
        optimizer=arguments.optimizer,
        seconds=arguments.plan_seconds,
        compare=compare,
        aux_weight=arguments.aux_weight,
    )


def _profile(
    graph: pyhpmp.Graph,
    arguments: argparse.Namespace,
    note: Callable[[str], None],
    compare: bool,
) -> str | Profile | None:
    """`auto`: of this machine, measured; `none`: the planner's default machine; else a file.

    A saved plan that is compared with nothing is not predicted anew: there nothing is measured.
    """
    if arguments.profile != "auto":
        return None if arguments.profile == "none" else arguments.profile
    if plan_files.is_file(arguments.strategy) and not compare:
        return None
    threads = getattr(arguments, "threads", 0) or share_of_cores(world.current())
    prepared = graph.core.prepare(training=not arguments.infer)
    device = devices.choose(getattr(arguments, "device", "cpu"), world.current())
    own = own_profile(
        prepared,
        dtype=arguments.dtype,
        threads=threads,
        device=device,
        numerics=getattr(arguments, "numerics", "fp32"),
    )
    if own.ops:
        kept = f"; kept in {own.path}" if own.path else ""
        note(f"measured {own.ops} operators on this machine in {own.seconds:.1f} s{kept}")
    alone = arguments.ranks != world.current().size  # others will run the plan
    return replace(own.profile, rank_speed=()) if alone else own.profile


def print_version(program: str) -> int:
    """One line for hpmp, one for the MPI it uses."""
    print(f"{program} {pyhpmp.__version__}")
    return launch.guard(lambda _: print(f"MPI: {launch.describe_mpi()}") or 0, program=program)
