"""The layer groups of a plan, and what its instructions are called."""

from __future__ import annotations

from collections.abc import Callable

from pyhpmp import _core
from pyhpmp.plans import Plan


def layer_groups(plan: Plan) -> list[_core.GroupInfo]:
    """In network order; instructions and tasks index them."""
    core = plan.core
    return _core.Hypergraph(
        plan.prepared,
        batch=core.batch,
        channel_block=core.channel_block,
        dense_block=core.dense_block,
        bn_group=core.bn_group,
        bn_sync=core.bn_sync,
        training=core.training,
    ).groups


def instruction_names(
    program: _core.Program, groups: list[_core.GroupInfo]
) -> Callable[[int], str]:
    """A function from an instruction's index to "BWD layer1.0.conv2 shard 3"."""

    def name(i: int) -> str:
        shard = f" shard {program.shard[i]}" if program.shard[i] >= 0 else ""
        return f"{_core.INSTRUCTIONS[program.kind[i]]} {groups[program.group[i]].name}{shard}"

    return name
