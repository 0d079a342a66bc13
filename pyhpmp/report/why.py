"""Why the chosen plan won: sentences made from the figures of the comparison."""

from __future__ import annotations

from pyhpmp.report.units import duration, percent, size
from pyhpmp.request import Request
from pyhpmp.strategies import Comparison, Strategy

ALIKE = 0.005  # predictions this close are called the same
EVEN = 0.005  # less imbalance is not worth a word
NETWORK_BINDS, COMPUTE_BINDS = 0.7, 0.85  # share of the step that the busiest link, rank is taken


def reasons(comparison: Comparison, request: Request) -> list[str]:
    """One or two sentences; none where there is nothing to compare with."""
    chosen = comparison.row(comparison.chosen)
    rivals = [row for row in comparison.strategies if row is not chosen and row.feasible]
    if chosen is None or chosen.step_seconds is None or not rivals:
        return []
    if request.strategy != "auto":
        return [_asked_for(chosen, rivals, request)]
    return _by_volume(chosen, rivals, request) if _is_volume(request) else _by_time(chosen, rivals)


def bound(row: Strategy) -> str:
    """What holds a strategy's step up: its network, its compute or its bubbles."""
    step = row.step_seconds or 0.0
    network, compute = row.network_seconds or 0.0, row.compute_seconds or 0.0
    if network >= compute and network >= NETWORK_BINDS * step:
        return f"its network (the busiest link carries messages for {duration(network)})"
    if compute >= COMPUTE_BINDS * step:
        return f"its compute (the busiest rank works {_work(row)})"
    return f"its bubbles (ranks idle {percent(row.bubble_fraction)} of the step)"


def _is_volume(request: Request) -> bool:
    return request.objective == "volume"


def _by_time(chosen: Strategy, rivals: list[Strategy]) -> list[str]:
    others = sorted(rivals, key=_seconds)
    alike = [row.name for row in others if _seconds(row) <= _seconds(chosen) * (1 + ALIKE)]
    slower = [row for row in others if row.name not in alike]
    said = f"{chosen.name} is held up by {bound(chosen)}"
    if alike:
        said += f"; within {percent(ALIKE)} of it: {', '.join(alike)}"
    if not slower:
        return [f"{said}."]
    causes = (f"{row.name} ({_times(row, chosen)}), {_slower(row, chosen)}" for row in slower)
    return [f"{said}.", f"Slower: {'; '.join(causes)}."]


def _slower(row: Strategy, chosen: Strategy) -> str:
    """What the time is lost to that a rival takes longer than the chosen plan."""
    network, compute = row.network_seconds or 0.0, row.compute_seconds or 0.0
    lost = _seconds(row) - _seconds(chosen)
    if compute - (chosen.compute_seconds or 0.0) >= lost / 2:
        return f"for more work on its busiest rank ({_work(row)})"
    if network >= _seconds(row) - compute:
        return f"for its network (the busiest link carries messages for {duration(network)})"
    return f"for its bubbles (ranks idle {percent(row.bubble_fraction)} of the step)"


def _work(row: Strategy) -> str:
    """Of the busiest rank."""
    more = row.imbalance or 0.0
    said = duration(row.compute_seconds)
    return said if more < EVEN else f"{said}, {percent(more)} above average"


def _by_volume(chosen: Strategy, rivals: list[Strategy], request: Request) -> list[str]:
    limit = request.epsilon
    balanced = [row for row in rivals if (row.imbalance or 0) <= limit + 1e-6]
    lines = []
    if balanced:
        next_best = min(balanced, key=_bytes)
        lines.append(
            f"{chosen.name} sends {size(chosen.total_bytes)} a step, the least of the plans within "
            f"{percent(limit)} imbalance; the next, {next_best.name}, sends "
            f"{size(next_best.total_bytes)}."
        )
    else:
        lines.append(f"{chosen.name} alone is within {percent(limit)} imbalance.")
    fastest = min([*rivals, chosen], key=_seconds)
    if fastest is not chosen and _seconds(chosen) > _seconds(fastest) * (1 + ALIKE):
        lines.append(
            f"For time, {fastest.name} would be better ({duration(fastest.step_seconds)} a step "
            f"against {duration(chosen.step_seconds)}): {chosen.name} is held up by "
            f"{bound(chosen)}."
        )
    return lines


def _asked_for(chosen: Strategy, rivals: list[Strategy], request: Request) -> str:
    said = f"{request.strategy} was asked for and is held up by {bound(chosen)}"
    fastest = min(rivals, key=_seconds)
    if _seconds(fastest) < _seconds(chosen) * (1 - ALIKE):
        return f"{said}; {fastest.name} is predicted {_times(chosen, fastest)} as fast."
    return f"{said}; no classical strategy is predicted faster."


def _seconds(row: Strategy) -> float:
    return row.step_seconds or 0.0


def _bytes(row: Strategy) -> int:
    return row.total_bytes or 0


def _times(slow: Strategy, fast: Strategy) -> str:
    return f"{_seconds(slow) / max(_seconds(fast), 1e-12):.3g}x"
