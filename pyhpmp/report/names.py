"""What a plan's instructions are called."""

from __future__ import annotations

from collections.abc import Callable

from pyhpmp import _core
from pyhpmp.records import GroupInfo, Program


def instruction_names(program: Program, groups: list[GroupInfo]) -> Callable[[int], str]:
    """A function from an instruction's index to "BWD layer1.0.conv2 shard 3"."""

    def name(i: int) -> str:
        shard = f" shard {program.shard[i]}" if program.shard[i] >= 0 else ""
        return f"{_core.INSTRUCTIONS[program.kind[i]]} {groups[program.group[i]].name}{shard}"

    return name
