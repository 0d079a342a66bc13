"""The last step as a trace that Perfetto and chrome://tracing open: measured beside predicted."""

from __future__ import annotations

import json
from typing import Any

from pyhpmp import Plan, world
from pyhpmp.files import write_text
from pyhpmp.report.measured import Measured, Trace

MEASURED, PREDICTED = 0, 1
_MICROSECONDS = 1e6


def save_trace(path: str, plan: Plan, measured: Measured) -> None:
    """Rank 0 writes all ranks' events; collective."""
    ranks = world.current()
    ranks.on_root(lambda: write_text(path, _text(plan, measured)))


def _text(plan: Plan, measured: Measured) -> str:
    traces = enumerate(measured.traces)
    events = [event for rank, trace in traces for event in _events(plan, rank, trace)]
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ms"})


def _events(plan: Plan, rank: int, trace: Trace) -> list[dict[str, Any]]:
    labels = plan.core.labels(plan.prepared, rank)
    taken = zip(*(column.tolist() for column in trace), strict=True)
    start, end = (times.tolist() for times in plan.core.times(rank))
    predicted = zip(range(len(labels)), start, end, strict=True)
    events = [_name("process_name", rank, MEASURED, f"rank {rank}")]
    for thread, name, timed in (
        (MEASURED, "measured", taken),
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
