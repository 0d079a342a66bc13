"""Memory over the predicted step: parameters, and what is alive in each rank's arena."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pyhpmp.plans import Plan
from pyhpmp.report.chart import Bar, Chart, Row, even_ticks
from pyhpmp.report.timeline import equal_runs
from pyhpmp.report.units import duration, size

LEGEND = [
    ("rising", "activations, gradients and message buffers"),
    ("plain", "weights, their gradients, the optimizer's state"),
]
LIVE, PARAMS = range(2)
SLOTS = 240


def memory_chart(plan: Plan) -> Chart:
    """A row per rank; all rows have the scale of the largest peak."""
    span = plan.core.step_seconds
    lives = [_live(plan, rank, span) for rank in range(plan.ranks)]
    params = [plan.core.rank(rank).param_bytes for rank in range(plan.ranks)]
    arenas = [plan.core.rank(rank).arena_bytes for rank in range(plan.ranks)]
    top = max(max(p + a for p, a in zip(params, arenas, strict=True)), 1)
    rows, pixels = [], 44 if plan.ranks <= 8 else 30
    for rank, live in enumerate(lives):
        label = f"rank {rank}, {size(params[rank] + arenas[rank])}"
        rows.append(Row(label, _bars(live, params[rank], top, span), pixels, f"rank {rank}"))
    return Chart(
        "memory",
        "Memory over time",
        f"Beside each rank: what it reserves, weights and one arena. The full height of a row is "
        f"{size(top)}; the arena holds the most that is alive at once, and gaps between tensors.",
        span,
        even_ticks(span, duration),
        LEGEND,
        rows,
    )


def _live(plan: Plan, rank: int, span: float) -> npt.NDArray[np.int64]:
    """[SLOTS] the most that is alive: of what runs as the slot begins and of what starts in it."""
    start, _ = plan.core.times(rank)
    live = plan.core.program(rank).live_bytes
    if not len(live):
        return np.zeros(SLOTS, np.int64)
    begins = np.maximum.accumulate(start)  # an instruction never starts before those listed above
    edges = np.linspace(0.0, span, SLOTS + 1)[:-1]
    running = np.searchsorted(begins, edges, side="right") - 1
    most: npt.NDArray[np.int64] = np.where(running >= 0, live[running], 0)
    slot = np.clip((begins / (span or 1.0) * SLOTS).astype(np.int64), 0, SLOTS - 1)
    np.maximum.at(most, slot, live)
    return most


def _bars(live: npt.NDArray[np.int64], params: int, top: int, span: float) -> list[Bar]:
    width = span / len(live)
    bars = []
    for first, last in equal_runs(live):
        total = params + int(live[first])
        at = f"{duration(first * width)} to {duration(last * width)}"
        tip = f"{at}: {size(total)}, of which {size(int(live[first]))} activations and buffers"
        bars.append(Bar(first * width, last * width, LIVE, tip, total / top))
    fixed = f"{size(params)} for weights, their gradients and the optimizer's state, all the time"
    return [*bars, Bar(0.0, span, PARAMS, fixed, params / top)]
