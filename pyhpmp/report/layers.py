"""The map of layers by ranks: who computes which share of which layer, and how it is cut."""

from __future__ import annotations

import numpy as np

from pyhpmp.plans import Plan
from pyhpmp.records import GroupInfo
from pyhpmp.report.chart import Bar, Chart, Row
from pyhpmp.report.units import counted, percent

LEGEND = [
    ("plain", "whole layer"),
    ("rising", "all channels of some samples"),
    ("falling", "some channels of all samples"),
    ("cross", "some channels of some samples"),
]
WHOLE, SAMPLES, CHANNELS, BOTH = range(4)
AXIS_LETTERS = 160  # that stand side by side below the map
LEAST_HEIGHT = 0.2  # so that a small share can still be seen and pointed at


def layer_map(plan: Plan) -> Chart:
    """A row per rank, a column per layer in network order; the height of a bar is the share."""
    groups = plan.groups
    columns = {g: x for x, g in enumerate(i for i, group in enumerate(groups) if group.blocks)}
    pixels = 22 if plan.ranks <= 8 else 18
    rows = [
        Row(f"rank {rank}", _bars(plan, rank, groups, columns), pixels, f"rank {rank}")
        for rank in range(plan.ranks)
    ]
    return Chart(
        "layers",
        "Who computes what",
        f"{counted(len(columns), 'layer')} from the input (left) to the loss (right). A bar's "
        "height is the rank's share of the layer.",
        float(len(columns)),
        _ticks([groups[g].name for g in columns]),
        LEGEND,
        rows,
    )


def _ticks(names: list[str]) -> list[tuple[float, str]]:
    """As many names as there is room for, evenly spread."""
    room = AXIS_LETTERS // (max(map(len, names), default=0) + 2)
    every = -(-len(names) // max(room, 1))
    return [(float(x), names[x]) for x in range(0, len(names) - every + 1, every)]


def _bars(plan: Plan, rank: int, groups: list[GroupInfo], columns: dict[int, int]) -> list[Bar]:
    tasks = plan.core.tasks(rank)
    channels = np.bincount(tasks.group, tasks.channels, len(groups))
    shards = np.bincount(tasks.group, minlength=len(groups))
    return [
        _bar(plan, groups[g], x, int(channels[g]), int(shards[g]))
        for g, x in columns.items()
        if shards[g]
    ]


def _bar(plan: Plan, group: GroupInfo, x: int, channels: int, shards: int) -> Bar:
    """channels: summed over the shards."""
    c, h, w = group.shape
    share, each = channels / (c * plan.core.shards), channels / shards
    tip = (
        f"{group.name} ({group.op}, {c}x{h}x{w}): {percent(share)} of it, "
        f"{each:.4g} of {counted(c, 'channel')}, {shards} of {counted(plan.core.shards, 'shard')}"
    )
    height = LEAST_HEIGHT + (1 - LEAST_HEIGHT) * share
    return Bar(x, x + 1, _cut(each < c, shards < plan.core.shards), tip, height)


def _cut(some_channels: bool, some_samples: bool) -> int:
    if some_channels:
        return BOTH if some_samples else CHANNELS
    return SAMPLES if some_samples else WHOLE
