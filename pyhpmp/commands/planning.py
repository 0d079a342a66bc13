"""From flags to a plan; shared by both commands."""

from __future__ import annotations

import argparse

import pyhpmp
from pyhpmp import launch


def plan_of(
    graph: pyhpmp.Graph, arguments: argparse.Namespace, *, compare: bool = False
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
        profile=arguments.profile,
        memory=arguments.memory,
        recompute=arguments.recompute,
        training=not arguments.infer,
        dtype=arguments.dtype,
        seconds=arguments.plan_seconds,
        compare=compare,
        aux_weight=arguments.aux_weight,
    )


def print_version(program: str) -> int:
    """One line for hpmp, one for the MPI it uses."""
    print(f"{program} {pyhpmp.__version__}")
    return launch.guard(lambda _: print(f"MPI: {launch.describe_mpi()}") or 0, program=program)
