"""What every strategy sends in a step, as bars."""

from __future__ import annotations

from pyhpmp.plans import Plan
from pyhpmp.report.chart import Bar, Chart, Row, even_ticks
from pyhpmp.report.units import percent, size
from pyhpmp.strategies import Strategy

LEGEND = [("plain", "activations and their gradients"), ("rising", "gradients of parameters")]
ACTIVATIONS, PARAMETERS = range(2)
# Bars end at this many times the longer one of the chosen plan and data parallelism, so that those
# two can still be compared where another strategy sends a hundred times as much.
LONGEST = 4


def volume_chart(plan: Plan) -> Chart:
    """A row per strategy that has a plan."""
    rows = [row for row in plan.comparison.strategies if row.total_bytes is not None]
    longest = max((row.total_bytes or 0 for row in rows), default=0)
    span = float(min(longest, LONGEST * _compared(plan)) or longest)
    note = "By all ranks together; exact, the engine counts the same."
    if span < longest:
        note += " A bar with an arrow is longer than the axis."
    return Chart(
        "volume",
        "Sent in a step",
        note,
        span,
        even_ticks(span, size),
        LEGEND,
        [_row(row, span) for row in rows],
    )


def _compared(plan: Plan) -> int:
    rows = (plan.comparison.row(name) for name in (plan.comparison.chosen, "data"))
    return max(row.total_bytes or 0 for row in rows if row is not None)


def _row(row: Strategy, span: float) -> Row:
    activations, total = row.activation_bytes or 0, row.total_bytes or 0
    arrow = " \N{RIGHTWARDS ARROW}" if total > span else ""
    parts = ((0, activations, ACTIVATIONS), (activations, total, PARAMETERS))
    bars = [_bar(row, start, end, kind, span) for start, end, kind in parts if end > start]
    return Row(f"{row.name}, {size(total)}{arrow}", [bar for bar in bars if bar.start < span], 20)


def _bar(row: Strategy, start: int, end: int, kind: int, span: float) -> Bar:
    share = percent((end - start) / (row.total_bytes or 1))
    tip = f"{row.name}: {LEGEND[kind][1]}, {size(end - start)} ({share} of what it sends)"
    return Bar(start, min(end, span), kind, tip)
