"""The outcome of a training run: lines for people, one JSON object for programs."""

from __future__ import annotations

import argparse
import json
import math
import resource
from typing import Any

import numpy as np

from pyhpmp import Plan, world
from pyhpmp.commands.loop import Outcome
from pyhpmp.commands.terminal import Reporter
from pyhpmp.commands.trace import save_trace
from pyhpmp.records import PASSAGES
from pyhpmp.report import counted, duration, percent, size
from pyhpmp.report.measured import Trace, gathered

WORTH_SAYING = 0.05  # of the time in which a rank waited for data


def report(
    plan: Plan,
    outcome: Outcome,
    saved: str | None,
    arguments: argparse.Namespace,
    say: Reporter,
) -> None:
    """Collective; rank 0 prints."""
    figures = _figures(plan, outcome)
    if not world.current().is_root:
        return
    if arguments.json:
        print_json(figures | plan.as_dict())
    else:
        say.result(_lines(plan, outcome, figures, saved))


def wants_trace(arguments: argparse.Namespace) -> bool:
    return bool(arguments.trace or arguments.report)


def save_measured(
    plan: Plan, trace: Trace, step_seconds: list[float], arguments: argparse.Namespace
) -> None:
    """Writes --trace and --report of the run. Collective."""
    if not wants_trace(arguments):
        return
    measured = gathered(trace, step_seconds)
    if arguments.trace:
        save_trace(arguments.trace, plan, measured)
    if arguments.report:
        world.current().on_root(lambda: plan.report(arguments.report, measured))


def print_json(figures: dict[str, Any]) -> None:
    """Strict JSON: a value that is no number becomes null."""
    print(json.dumps(_finite(figures), allow_nan=False), flush=True)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def seconds_of(samples: list[float], predicted: float) -> dict[str, float | None]:
    """Median and deciles of measured steps beside the prediction."""
    p10, median, p90 = np.percentile(samples, [10, 50, 90]) if samples else [math.nan] * 3
    return {
        "median": float(median),
        "p10": float(p10),
        "p90": float(p90),
        "predicted": predicted,
    }


def peak_memory_bytes() -> list[int]:
    """Peak resident size of every rank's process. Collective."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return world.current().gather(own)


def _figures(plan: Plan, outcome: Outcome) -> dict[str, Any]:
    """Bytes are those of one step."""
    sent = outcome.sent_bytes.copy()
    world.current().sum(sent)
    made = len(outcome.step_seconds)  # by this run
    total, steps = int(sent.sum()), max(made, 1)
    busy, waited = sum(outcome.step_seconds), outcome.waited_seconds
    wait_shares = world.current().gather(waited / max(waited + busy, 1e-9))
    return {
        "final_loss": outcome.final_loss,
        "accuracy": outcome.accuracy,
        "mean_iou": outcome.mean_iou,
        "samples_per_second": made * plan.batch / busy if busy else None,
        "step_seconds": seconds_of(outcome.step_seconds, plan.core.step_seconds),
        "data_wait_fraction": max(wait_shares),
        "bytes_sent": {
            "predicted": plan.volume_bytes,
            "counted": _per_step(total, steps),
        },
        "bytes_sent_by": {
            name: _per_step(int(bytes_), steps) for name, bytes_ in zip(PASSAGES, sent, strict=True)
        },
        "peak_memory_bytes": peak_memory_bytes(),
        "time_to_target_seconds": outcome.target_seconds,
    }


def _per_step(total: int, steps: int) -> float:
    """A whole number where it is one, as it should be."""
    return total // steps if total % steps == 0 else total / steps


def _lines(plan: Plan, outcome: Outcome, figures: dict[str, Any], saved: str | None) -> list[str]:
    seconds, sent = figures["step_seconds"], figures["bytes_sent"]
    lines = [f"trained {counted(outcome.steps, 'step')}, final loss {outcome.final_loss:.4f}"]
    if outcome.accuracy is not None:
        iou = "" if outcome.mean_iou is None else f", mean IoU {percent(outcome.mean_iou)}"
        lines.append(f"test accuracy {percent(outcome.accuracy)}{iou}")
    if outcome.target_seconds is not None:
        lines.append(f"target accuracy reached after {outcome.target_seconds:.1f} s")
    if figures["data_wait_fraction"] > WORTH_SAYING:
        lines.append(f"waited for data {percent(figures['data_wait_fraction'])} of the time")
    lines += [
        f"{figures['samples_per_second']:,.0f} samples/s; step {duration(seconds['median'])} "
        f"(median), {duration(seconds['predicted'])} predicted",
        f"bytes sent per step by {counted(plan.ranks, 'rank')}: predicted {sent['predicted']:,}, "
        f"counted {sent['counted']:,}{_between_gpus(figures['bytes_sent_by'])}",
        f"peak memory per rank: {', '.join(map(size, figures['peak_memory_bytes']))}",
    ]
    return [*lines, f"saved {saved}"] if saved else lines


def _between_gpus(sent_by: dict[str, float]) -> str:
    """What did not pass the host's memory."""
    ways = {"gpu": "from GPU to GPU", "mpi": "by MPI from GPU to GPU"}
    return "".join(f"; {sent_by[name]:,} {way}" for name, way in ways.items() if sent_by[name])
