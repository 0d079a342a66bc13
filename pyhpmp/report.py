"""The plan and the outcome of a run as tables for people."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from pyhpmp.strategies import Strategy

if TYPE_CHECKING:
    from pyhpmp.plans import Plan

UNKNOWN = "-"


def size(count: float | None) -> str:
    """Bytes in decimal units, three digits."""
    if count is None:
        return UNKNOWN
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            digits = f"{count / factor:.3g}" if count < 1e3 * factor else f"{count / factor:,.0f}"
            return f"{digits} {unit}"
    return f"{count:.0f} B"


def duration(seconds: float | None) -> str:
    """Seconds or milliseconds, three digits."""
    if seconds is None:
        return UNKNOWN
    if seconds >= 100:
        return f"{seconds:,.0f} s"
    return f"{seconds:.3g} s" if seconds >= 0.9995 else f"{seconds * 1e3:.3g} ms"


def percent(share: float | None) -> str:
    return UNKNOWN if share is None else f"{share * 100:.1f}%"


def plan_view(plan: Plan) -> RenderableType:
    """A heading, the table of strategies, and what the volume means."""
    heading = (
        f"{plan.graph.name}: {plan.graph.parameter_count / 1e6:.3g} M parameters, "
        f"{counted(plan.ranks, 'rank')}, batch {plan.batch}, fp32"
    )
    if plan.ranks == 1:
        memory, seconds = _memory(plan), duration(plan.core.step_seconds)
        return Text(f"{heading}; memory {memory}, step {seconds} predicted", style="bold")
    heading += (
        f", {counted(plan.core.shards, 'shard')}; chosen: {plan.comparison.chosen} "
        f"(planned in {duration(plan.seconds)})"
    )
    return Group(Text(heading, style="bold"), _table(plan), *map(Text, _remarks(plan)))


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _memory(plan: Plan) -> str:
    info = plan.core.rank(0)
    return size(info.arena_bytes + info.param_bytes)


def plan_text(plan: Plan) -> str:
    """`plan_view` without colours."""
    buffer = io.StringIO()
    Console(file=buffer, width=110, color_system=None).print(plan_view(plan))
    return buffer.getvalue()


def _table(plan: Plan) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("strategy")
    for title in (
        "sent/step",
        "activations",
        "gradients",
        "imbalance",
        "memory/rank",
        "step",
        "idle",
    ):
        table.add_column(title, justify="right")
    table.add_column("")
    for row in plan.comparison.strategies:
        chosen = row.name == plan.comparison.chosen
        table.add_row(*_cells(row, chosen), style="bold" if chosen else "")
    return table


def _cells(row: Strategy, chosen: bool) -> list[str]:
    remark = "<- chosen" if chosen else ""
    if row.total_bytes is None:
        remark = "no plan"
    elif not row.feasible:
        remark = "too large"
    return [
        row.name,
        size(row.total_bytes),
        size(row.activation_bytes),
        size(row.parameter_bytes),
        percent(row.imbalance),
        size(max(row.memory_bytes) if row.memory_bytes else None),
        duration(row.step_seconds),
        percent(row.bubble_fraction),
        remark,
    ]


def _remarks(plan: Plan) -> list[str]:
    """Volume against data parallelism, with everything that it depends on."""
    lines = []
    share = plan.comparison.against_data()
    if share is not None and plan.comparison.chosen != "data":
        word = "less than" if share >= 0 else "more than"
        amount = "as much as" if abs(share) < 5e-4 else f"{percent(abs(share))} {word}"
        lines.append(
            f"sends {amount} data parallelism "
            f"({plan.ranks} ranks, batch {plan.batch}, 4 bytes per element)"
        )
    crossover = plan.comparison.data_parallel_crossover_batch
    if crossover:
        lines.append(f"data parallelism sends less from batch {crossover:,} on")
    return lines
