"""The plan as a table of strategies for a terminal, with the reason for the choice."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from pyhpmp.report.units import counted, duration, percent, size
from pyhpmp.report.why import reasons
from pyhpmp.strategies import Strategy

if TYPE_CHECKING:
    from pyhpmp.plans import Plan

WIDTH = 110  # of the table where the terminal's is not known
COLUMNS = ("sent/step", "activations", "gradients", "imbalance", "memory/rank", "step", "idle")


def plan_view(plan: Plan) -> RenderableType:
    """A heading, the table of strategies, what the volume means and why the plan was chosen."""
    heading = heading_of(plan)
    if plan.ranks == 1:
        memory, seconds = _memory(plan), duration(plan.core.step_seconds)
        title = Text(f"{heading}; memory {memory}, step {seconds} predicted", style="bold")
        return Group(title, *map(Text, _recomputed(plan)))
    heading += (
        f", {counted(plan.core.shards, 'shard')}; chosen: {plan.comparison.chosen} "
        f"(planned in {duration(plan.seconds)})"
    )
    lines = [*refusals(plan), *remarks(plan), *reasons(plan.comparison, plan.request)]
    return Group(Text(heading, style="bold"), _table(plan), *map(Text, lines))


def plan_text(plan: Plan) -> str:
    """`plan_view` without colours."""
    buffer = io.StringIO()
    Console(file=buffer, width=WIDTH, color_system=None).print(plan_view(plan), soft_wrap=True)
    return buffer.getvalue()


def heading_of(plan: Plan) -> str:
    return (
        f"{plan.graph.name}: {plan.graph.parameter_count / 1e6:.3g} M parameters, "
        f"{counted(plan.ranks, 'rank')}, batch {plan.batch}, {plan.core.dtype}{_optimizer_of(plan)}"
    )


def _optimizer_of(plan: Plan) -> str:
    """Named where it is not the usual one."""
    kind = plan.core.optimizer
    return "" if kind == "sgd" or not plan.core.training else f", {kind}"


def refusals(plan: Plan) -> list[str]:
    """A line for every strategy that has no plan or does not fit."""
    rows = plan.comparison.strategies
    return [f"{row.name}: {verdict(row)}, {row.refusal}" for row in rows if row.refusal]


def verdict(row: Strategy) -> str:
    """Whether a strategy can be run, in two words; "" where it can."""
    if row.total_bytes is None:
        return "no plan" if row.refusal else "not tried"
    return "" if row.feasible else "too large"


def remarks(plan: Plan) -> list[str]:
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
    return lines + _shared_statistics(plan) + _recomputed(plan)


def _recomputed(plan: Plan) -> list[str]:
    groups, seconds = plan.recomputed()
    if not groups:
        return []
    share = seconds / plan.core.step_seconds
    return [
        f"computes {counted(groups, 'layer group')} twice, to keep less: "
        f"{duration(seconds)} of the step ({percent(share)}) on the rank that does most of it"
    ]


def _shared_statistics(plan: Plan) -> list[str]:
    core = plan.core
    sharing = core.bn_group * core.shards // core.batch
    normalised = any(param.role == "running_mean" for param in plan.prepared.params)
    if not core.bn_sync or not core.training or not normalised or sharing < 2:
        return []
    return [
        f"batch statistics over {core.bn_group} samples are shared by {sharing} shards "
        "(their sums count as activations)"
    ]


def _memory(plan: Plan) -> str:
    info = plan.core.rank(0)
    return size(info.arena_bytes + info.param_bytes)


def _table(plan: Plan) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("strategy")
    for title in COLUMNS:
        table.add_column(title, justify="right")
    table.add_column("")
    for row in plan.comparison.strategies:
        chosen = row.name == plan.comparison.chosen
        remark = "<- chosen" if chosen else verdict(row)
        table.add_row(row.name, *cells(row), remark, style="bold" if chosen else "")
    return table


def cells(row: Strategy) -> list[str]:
    """A strategy's figures, in the order of COLUMNS."""
    return [
        size(row.total_bytes),
        size(row.activation_bytes),
        size(row.parameter_bytes),
        percent(row.imbalance),
        size(max(row.memory_bytes) if row.memory_bytes else None),
        duration(row.step_seconds),
        percent(row.bubble_fraction),
    ]
