"""The schedule of every rank as bars: predicted, and measured beside it after a run."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from pyhpmp import _core
from pyhpmp.figures import COMPUTE
from pyhpmp.plans import Plan
from pyhpmp.records import GroupInfo, Messages, Program
from pyhpmp.report.chart import Bar, Chart, Row, even_ticks
from pyhpmp.report.measured import Measured, Trace
from pyhpmp.report.names import instruction_names
from pyhpmp.report.timeline import Events, bars, when
from pyhpmp.report.units import counted, duration, size

LEGEND = [
    ("plain", "forward"),
    ("rising", "backward"),
    ("cross", "update"),
    ("falling", "forward again"),
    ("stripes", "messages"),
]
MESSAGES = 4
# The style of every kind of instruction.
STYLES = np.array(
    [COMPUTE.index(name) if name in COMPUTE else MESSAGES for name in _core.INSTRUCTIONS]
)
BUDGET = 9000  # bars of the chart, all rows together
MOST_OF_A_ROW = 600


def schedule_chart(plan: Plan, measured: Measured | None) -> Chart:
    """Per rank: predicted compute, messages in flight from it and, after a run, measured times."""
    groups, lanes = plan.groups, 2 if measured is None else 3
    span = max(plan.core.step_seconds, measured.last if measured else 0.0)
    budget = min(MOST_OF_A_ROW, BUDGET // (plan.ranks * lanes))
    arrivals = _arrivals(plan)
    rows = []
    for rank in range(plan.ranks):
        name, predicted = f"rank {rank}", _predicted(plan, rank, groups)
        rows.append(Row(name, bars(predicted, span, budget), 18, name))
        rows.append(Row("", _flights(plan, rank, arrivals, span / budget), 8, f"{name} sends"))
        if measured is not None:
            took = _measured(plan, rank, groups, measured.traces[rank])
            rows.append(Row("measured", bars(took, span, budget), 18, f"{name} measured"))
    return Chart(
        "schedule",
        "Schedule of a step",
        _note(measured, budget),
        span,
        even_ticks(span, duration),
        LEGEND,
        rows,
    )


def _note(measured: Measured | None, budget: int) -> str:
    note = "Above: what a rank computes, as predicted; thin below: its messages on the way. "
    if measured is not None:
        note += "Third: the run's last step as measured, waiting for messages included. "
    return note + (
        f"Where there is more to draw than {counted(budget, 'bar')} a row, a bar sums up what "
        "falls into its time and its height is the share that is busy."
    )


def _predicted(plan: Plan, rank: int, groups: list[GroupInfo]) -> Events:
    start, end = plan.core.times(rank)
    return _events(plan.core.program(rank), groups, np.arange(len(start)), start, end, COMPUTE)


def _measured(plan: Plan, rank: int, groups: list[GroupInfo], trace: Trace) -> Events:
    return _events(plan.core.program(rank), groups, *trace, _core.INSTRUCTIONS)


def _events(
    program: Program,
    groups: list[GroupInfo],
    index: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
    wanted: tuple[str, ...],
) -> Events:
    names = instruction_names(program, groups)
    kinds = [_core.INSTRUCTIONS.index(name) for name in wanted]
    kept = np.flatnonzero(np.isin(program.kind[index], kinds) & (end > start))
    order = kept[np.argsort(start[kept], kind="stable")]
    which = index[order]
    style = STYLES[program.kind[which]]
    return Events(start[order], end[order], style, lambda i: names(int(which[i])))


def _arrivals(plan: Plan) -> np.ndarray:
    """[messages] when each is predicted to be there: its receiver takes it then."""
    arrival = np.zeros(max(plan.core.messages, 1))
    takes = [_core.INSTRUCTIONS.index(name) for name in ("RECV", "REDUCE")]
    for rank in range(plan.ranks):
        program, (start, _) = plan.core.program(rank), plan.core.times(rank)
        taken = np.isin(program.kind, takes)
        arrival[program.message[taken]] = start[taken]
    return arrival


def _flights(plan: Plan, rank: int, arrivals: np.ndarray, gap: float) -> list[Bar]:
    """Messages from a rank; those that overlap, or are less than `gap` seconds apart, are one."""
    program, (start, _) = plan.core.program(rank), plan.core.times(rank)
    sends = np.flatnonzero(program.kind == _core.INSTRUCTIONS.index("SEND"))
    sends = sends[np.argsort(start[sends], kind="stable")]
    tags, begins = program.message[sends], start[sends]
    if not len(tags):
        return []
    reached = np.maximum.accumulate(arrivals[tags])
    cuts = [0, *(np.flatnonzero(begins[1:] > reached[:-1] + gap) + 1).tolist(), len(tags)]
    table = plan.core.message_table()
    return [
        _flight(table, tags[first:last], float(begins[first]), float(reached[last - 1]))
        for first, last in pairwise(cuts)
    ]


def _flight(table: Messages, tags: np.ndarray, start: float, end: float) -> Bar:
    sent = size(int(table.bytes[tags].sum()))
    ranks = sorted(set(table.receiver[tags].tolist()))
    to = f"rank {', '.join(map(str, ranks))}" if len(ranks) < 7 else counted(len(ranks), "rank")
    kinds = ", ".join(_core.MESSAGES[kind] for kind in sorted(set(table.kind[tags].tolist())))
    tip = f"{counted(len(tags), 'message')} to {to}, {sent} ({kinds}): {when(start, end)}"
    return Bar(start, end, MESSAGES, tip)
