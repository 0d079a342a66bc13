"""The tables of `claims.py`: what the JSON lines say, as Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pyhpmp.strategies import BASELINES

VOLUME = "volume"
NETWORK_BINDS = 1.15  # best baseline over ideal compute time, above which a plan can help
Row = dict[str, Any]


def best_baseline(row: Row) -> tuple[str, float]:
    """Name and seconds of the fastest classical strategy."""
    times = {name: found["step_seconds"] for name, found in row["strategies"].items() if found}
    name = min(times, key=lambda name: times[name])
    return name, times[name]


def binds(row: Row) -> bool:
    return best_baseline(row)[1] > NETWORK_BINDS * row["ideal_seconds"]


def against_best(row: Row) -> float:
    return best_baseline(row)[1] / float(row["ours"]["step_seconds"])


def against_data(row: Row) -> float | None:
    data = row["strategies"]["data"]
    return data["step_seconds"] / row["ours"]["step_seconds"] if data else None


def total(found: Row) -> int:
    return int(found["activation_bytes"] + found["parameter_bytes"])


def geometric_mean(values: Iterable[float]) -> float:
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan


def line(row: Row) -> str:
    """One cell for people who watch."""
    where = f"{row['network']} K={row['ranks']} B={row['batch']} {row['machine']}"
    if "error" in row:
        return f"{where}: {row['error']}"
    ours = row["ours"]
    said = f"{where}: {row['chosen']} {ours['step_seconds'] * 1e3:.2f} ms, "
    if row["machine"] == VOLUME:
        said = f"{where}: {total(ours) / 4e6:.1f} M elements, imbalance {ours['imbalance']:.1%}, "
    else:
        name, seconds = best_baseline(row)
        said += f"{name} {seconds * 1e3:.2f} ms, ideal {row['ideal_seconds'] * 1e3:.2f} ms, "
    said += f"planned in {row['planning_seconds']:.1f} s"
    not_made = row.get("not_made")
    return f"{said}, predicted only: {', '.join(not_made)}" if not_made else said


def write(rows: list[Row], path: Path) -> None:
    """All tables, in the order of the cells."""
    good = [row for row in rows if "error" not in row]
    timed = [row for row in good if row["machine"] != VOLUME]
    volumes = [row for row in good if row["machine"] == VOLUME]
    parts = ["# Claims\n", _summary(timed, volumes)]
    parts += [_by(timed, "machine"), _by(timed, "ranks"), _by(timed, "network")]
    parts += [_volume_table(volumes), _time_table(timed)]
    path.write_text("\n".join(part for part in parts if part), encoding="utf-8")


def _summary(timed: list[Row], volumes: list[Row]) -> str:
    lines = []
    if timed:
        worst = min(against_best(row) for row in timed)
        bound = [row for row in timed if binds(row)]
        data = [ratio for row in bound if (ratio := against_data(row))]
        lines += [
            f"- {len(timed)} cells planned for time; never slower than the best classical "
            f"strategy (worst ratio {worst:.3f}).",
            f"- In the {len(bound)} cells where the best classical strategy is more than 15% above "
            f"the ideal compute time: {geometric_mean(map(against_best, bound)):.2f} times faster "
            f"than the best classical strategy and {geometric_mean(data):.2f} times faster than "
            "data parallelism (geometric means).",
        ]
    if volumes:
        less = [row for row in volumes if total(row["ours"]) < _least(row)]
        even = [row for row in volumes if row["ours"]["imbalance"] <= 0.03 + 1e-6]
        lines.append(
            f"- {len(volumes)} cells planned for volume: below every classical strategy in "
            f"{len(less)}, at most 3% imbalance in {len(even)}."
        )
    return "\n".join(lines) + "\n"


def _least(row: Row) -> int:
    return min(total(found) for found in row["strategies"].values() if found)


def _by(timed: list[Row], field: str) -> str:
    """Ratios by one property of the cells."""
    if not timed:
        return ""
    lines = [
        f"\n| {field} | cells | network binds | x best classical | x data |",
        "|---|---|---|---|---|",
    ]
    for value in dict.fromkeys(row[field] for row in timed):
        here = [row for row in timed if row[field] == value]
        bound = [row for row in here if binds(row)]
        data = [ratio for row in bound if (ratio := against_data(row))]
        ratios = f"{_shown(map(against_best, bound))} | {_shown(data)}"
        lines.append(f"| {value} | {len(here)} | {len(bound)} | {ratios} |")
    return "\n".join(lines) + "\n"


def _shown(ratios: Iterable[float]) -> str:
    mean = geometric_mean(ratios)
    return "" if math.isnan(mean) else f"{mean:.2f}"


def _table(rows: list[Row], heads: list[str], fields: Callable[[Row], list[str]]) -> str:
    lines = ["\n| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    lines += ["| " + " | ".join(fields(row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _volume_table(volumes: list[Row]) -> str:
    if not volumes:
        return ""

    def fields(row: Row) -> list[str]:
        ours, data = row["ours"], row["strategies"]["data"]
        saved = f" ({total(ours) / total(data) - 1:+.1%})" if data else ""
        return [
            *_where(row),
            *(_elements(row["strategies"][name]) for name in BASELINES),
            f"**{_elements(ours)}**{saved}",
            f"{ours['imbalance']:.1%}",
            str(ours["shards"]),
            f"{row['planning_seconds']:.1f}",
        ]

    heads = ["network", "K", "batch", *BASELINES, "ours", "imbalance", "shards", "planned, s"]
    return "\nVolume, millions of elements sent by all ranks in a step (--objective volume):\n" + (
        _table(volumes, heads, fields)
    )


def _elements(found: Row | None) -> str:
    return f"{total(found) / 4e6:.1f}" if found else "-"


def _where(row: Row) -> list[str]:
    return [row["network"], str(row["ranks"]), str(row["batch"])]


def _time_table(timed: list[Row]) -> str:
    if not timed:
        return ""

    def fields(row: Row) -> list[str]:
        ours, ratio = row["ours"], against_data(row)
        return [
            *_where(row),
            row["machine"],
            f"{row['ideal_seconds'] * 1e3:.2f}",
            *(_milliseconds(row["strategies"][name]) for name in BASELINES),
            f"**{_milliseconds(ours)}**",
            f"{against_best(row):.2f}",
            f"{ratio:.2f}" if ratio else "-",
            f"{total(ours) / 4e6:.1f}",
            f"{ours['imbalance']:.0%}",
            f"{max(ours['memory_bytes']) / 2**30:.2f}",
        ]

    heads = ["network", "K", "batch", "machine", "ideal", *BASELINES, "ours"]
    heads += ["x best", "x data", "volume, M", "imbalance", "memory, GiB"]
    return "\nPredicted step, milliseconds (--objective time):\n" + _table(timed, heads, fields)


def _milliseconds(found: Row | None) -> str:
    return f"{found['step_seconds'] * 1e3:.2f}" if found else "-"
