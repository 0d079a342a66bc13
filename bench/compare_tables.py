"""The table of `compare.py`: what its rows say, as Markdown.

A row is one network and one peer. Ratios are of medians, the peer's over ours: above 1 ours is
faster. The best peer of a network is the one with the shortest step, and the one that counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

Row = dict[str, Any]
NOTHING = "n/a"
STEP, PROCESSOR = "step_seconds", "cpu_seconds"


def median_of(row: Row, side: str, what: str = STEP) -> float | None:
    return float(row[side][what]["median"]) if side in row else None


def ratio(row: Row, what: str = STEP) -> float | None:
    """Median of theirs over median of ours; None where one of them is missing."""
    ours, theirs = median_of(row, "ours", what), median_of(row, "theirs", what)
    return theirs / ours if ours and theirs else None


def _slowness(row: Row) -> float:
    """Sorts peers, best first: by the ratio, which is free of drift, else by their own time."""
    found = ratio(row)
    return found if found is not None else median_of(row, "theirs") or math.inf


def best(rows: Sequence[Row]) -> Row | None:
    """Of one network, the row of the fastest peer; None where no peer ran."""
    ran = [row for row in rows if "theirs" in row]
    return min(ran, key=_slowness) if ran else None


def geometric_mean(values: Iterable[float]) -> float:
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan


def case(row: Row) -> str:
    return f"{row['network']} ({row['batch']})"


def line(row: Row) -> str:
    """One row for people who watch."""
    where = f"{case(row)} {row['peer']}: "
    if "unavailable" in row:
        return where + f"{NOTHING}, {row['unavailable']}"
    theirs = median_of(row, "theirs") or math.nan
    if "ours" not in row:
        return where + f"{theirs * 1e3:.1f} ms; ours {NOTHING}, {row['ours_unavailable']}"
    ours = median_of(row, "ours") or math.nan
    return (
        where + f"{theirs * 1e3:.1f} ms, ours {ours * 1e3:.1f} ms: {_times(ratio(row))}, "
        f"of processor time {_times(ratio(row, PROCESSOR))}"
    )


def _times(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2f}x"


def _rate(row: Row, side: str) -> str:
    """Samples per second."""
    seconds = median_of(row, side)
    return NOTHING if seconds is None else f"{row['batch'] / seconds:.4g}"


def _memory(row: Row, side: str) -> str:
    """Peak MB of each rank while it ran steps."""
    if side not in row:
        return NOTHING
    return ", ".join(f"{count / 1e6:.0f}" for count in row[side]["peak_bytes"])


def markdown(rows: Sequence[Row]) -> str:
    """A line per network with the ratio against each peer, then mean and worst of the best."""
    peers = list(dict.fromkeys(row["peer"] for row in rows))
    head = ["network (batch)", "ours, samples/s", *(f"{peer}" for peer in peers)]
    head += ["best peer", "samples/s", "ratio", "of processor time", "MB, ours", "MB, best peer"]
    lines = [_cells(head), _cells(["---"] * len(head))]
    groups = [list(group) for _, group in groupby(rows, case)]
    lines += [_cells(_network(group, peers)) for group in groups]
    return "\n".join([*lines, "", *_closing(rows, groups)])


def _network(rows: Sequence[Row], peers: Sequence[str]) -> list[str]:
    by_peer = {row["peer"]: row for row in rows}
    winner = best(rows)
    cells = [case(rows[0]), _rate(winner, "ours") if winner else NOTHING]
    cells += [_times(ratio(by_peer[peer])) if peer in by_peer else "" for peer in peers]
    if winner is None:
        return [*cells, *[NOTHING] * 6]
    cells += [winner["peer"], _rate(winner, "theirs"), f"**{_times(ratio(winner))}**"]
    cells += [_times(ratio(winner, PROCESSOR)), _memory(winner, "ours"), _memory(winner, "theirs")]
    return cells


def _closing(rows: Sequence[Row], groups: Sequence[Sequence[Row]]) -> list[str]:
    """Mean and worst against the best peer of each network, and what did not run and why."""
    ratios = {case(row): found for row in map(best, groups) if row and (found := ratio(row))}
    said = []
    if ratios:
        worst = min(ratios, key=lambda name: ratios[name])
        said.append(
            f"Against the best peer of each network: geometric mean "
            f"{geometric_mean(ratios.values()):.2f}x, worst {ratios[worst]:.2f}x ({worst})."
        )
    reasons = {(row["peer"], row["unavailable"]): None for row in rows if "unavailable" in row}
    reasons |= {("ours", r["ours_unavailable"]): None for r in rows if "ours_unavailable" in r}
    return [*said, *(f"{name}: {NOTHING}, {why}" for name, why in reasons)]


def _cells(texts: Sequence[str]) -> str:
    return "| " + " | ".join(texts) + " |"
