"""The last step as a trace that Perfetto and chrome://tracing open: measured beside predicted."""

from __future__ import annotations

import json
from typing import Any

from pyhpmp import Plan, _core, world
from pyhpmp.files import write_text

MEASURED, PREDICTED = 0, 1
_MICROSECONDS = 1e6


def save_trace(path: str, plan: Plan, engine: _core.Engine) -> None:
    """Collective; rank 0 writes all ranks' events."""
    ranks = world.current()
    events = [event for own in ranks.gather(_events(plan, engine, ranks.rank)) for event in own]
    text = json.dumps({"traceEvents": events, "displayTimeUnit": "ms"})
    ranks.on_root(lambda: write_text(path, text))


def _events(plan: Plan, engine: _core.Engine, rank: int) -> list[dict[str, Any]]:
    labels = plan.core.labels(plan.prepared, rank)
    instructions, starts, ends = engine.trace()
    measured = zip(instructions.tolist(), starts.tolist(), ends.tolist(), strict=True)
    start, end = (times.tolist() for times in plan.core.times(rank))
    predicted = zip(range(len(labels)), start, end, strict=True)
    events = [_name("process_name", rank, MEASURED, f"rank {rank}")]
    for thread, name, timed in (
        (MEASURED, "measured", measured),
        (PREDICTED, "predicted", predicted),
    ):
        events.append(_name("thread_name", rank, thread, name))
        events += [_event(labels[i], rank, thread, begin, stop) for i, begin, stop in timed]
    return events


def _event(label: str, rank: int, thread: int, start: float, end: float) -> dict[str, Any]:
    return {
        "ph": "X",
        "name": label,
        "cat": label.split(" ", 1)[0],
        "pid": rank,
        "tid": thread,
        "ts": start * _MICROSECONDS,
        "dur": (end - start) * _MICROSECONDS,
    }


def _name(kind: str, rank: int, thread: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": kind, "pid": rank, "tid": thread, "args": {"name": name}}
