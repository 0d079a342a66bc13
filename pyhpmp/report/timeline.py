"""Events of one rank as few bars: as they are, or summed up where they are too many to draw."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from pyhpmp.report.chart import Bar
from pyhpmp.report.units import duration

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
IDLE = 0.02  # of a slot: less work than this is not drawn


@dataclass(frozen=True)
class Events:
    """[events] in order of time, one at a time; style: which fill. names(i): what event i is."""

    start: Floats
    end: Floats
    style: Ints
    names: Callable[[int], str]

    def __len__(self) -> int:
        return len(self.start)


def bars(events: Events, span: float, budget: int) -> list[Bar]:
    """At most about `budget` bars of the events within [0, span] seconds.

    Too many events are summed up in `budget` slots of equal time: a bar's style is what most of its
    time goes to, its height the busy share; neighbours that look the same become one.
    """
    if len(events) <= budget:
        return [_bar(events, i) for i in range(len(events))]
    edges = np.linspace(0.0, span, budget + 1)
    busy = np.stack([_busy(events, style, edges) for style in range(_styles(events))])
    return [_slot_bar(events, edges, busy, *run) for run in _runs(busy)]


def _bar(events: Events, i: int) -> Bar:
    start, end = float(events.start[i]), float(events.end[i])
    tip = f"{events.names(i)}: {when(start, end)}"
    return Bar(start, end, int(events.style[i]), tip)


def when(start: float, end: float) -> str:
    return f"{start * 1e3:,.6g} to {end * 1e3:,.6g} ms ({duration(end - start)})"


def _styles(events: Events) -> int:
    return int(events.style.max(initial=0)) + 1


def _busy(events: Events, style: int, edges: Floats) -> Floats:
    """[slots] share of each slot that events of one style take."""
    mine = events.style == style
    start, end = events.start[mine], events.end[mine]
    if not len(start):
        return np.zeros(len(edges) - 1)
    total = np.concatenate([[0.0], np.cumsum(end - start)])
    before = np.searchsorted(start, edges, side="right")
    last = np.maximum(before - 1, 0)
    running = np.clip(edges - start[last], 0.0, end[last] - start[last])
    done = np.where(before > 0, total[last] + running, 0.0)
    share: Floats = np.clip(np.diff(done) / np.diff(edges), 0.0, 1.0)
    return share


def _runs(busy: Floats) -> list[tuple[int, int]]:
    """Slots [first, last) of like look; idle ones are left out."""
    total, style = busy.sum(axis=0), busy.argmax(axis=0)
    look = np.where(total < IDLE, -1, style * 10 + np.ceil(np.minimum(total, 1.0) * 8))
    return [run for run in equal_runs(look) if look[run[0]] >= 0]


def equal_runs(values: npt.NDArray[Any]) -> Iterator[tuple[int, int]]:
    """[first, last) of neighbours that are equal."""
    cuts = (np.flatnonzero(np.diff(values)) + 1).tolist()
    return pairwise([0, *cuts, len(values)])


def _slot_bar(events: Events, edges: Floats, busy: Floats, first: int, last: int) -> Bar:
    start, end = float(edges[first]), float(edges[last])
    inside = np.flatnonzero((events.start < end) & (events.end > start))
    height = min(float(busy[:, first:last].sum(axis=0).mean()), 1.0)
    style = int(busy[:, first:last].sum(axis=1).argmax())
    named = events.names(int(inside[0])) if len(inside) else ""
    if len(inside) > 1:
        named = f"{len(inside)} events, {named} … {events.names(int(inside[-1]))}"
    return Bar(start, end, style, f"{when(start, end)}, {height:.0%} busy: {named}", height)
