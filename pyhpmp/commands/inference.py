"""hpmp-run --infer: the forward part over a data set."""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

from pyhpmp import Plan, Session, world
from pyhpmp.commands.results import (
    peak_memory_bytes,
    print_json,
    save_measured,
    seconds_of,
    wants_trace,
)
from pyhpmp.commands.terminal import Reporter
from pyhpmp.data import Dataset
from pyhpmp.report import duration, percent

WARM_UP_RUNS, SYNTHETIC_RUNS = 2, 20


def infer(plan: Plan, data: Dataset, arguments: argparse.Namespace, say: Reporter) -> int:
    """Runs the test part (else the training part) once; synthetic images several times."""
    session = Session(
        plan,
        keep_weights=False,
        threads=arguments.threads,
        trace=wants_trace(arguments),
        timeout=arguments.timeout,
    )
    synthetic = data.name == "synthetic"
    runs = (arguments.steps or SYNTHETIC_RUNS) if synthetic else 1
    split = data.test or data.train
    for _ in range(WARM_UP_RUNS if synthetic else 0):
        session(data.transform(split.images))
    session.engine.reset_counters()
    seconds: list[float] = []
    right = 0
    for _ in range(runs):
        for images, labels in data.padded(split, plan.batch):
            began = time.perf_counter()
            scores = session(images)
            seconds.append(time.perf_counter() - began)
            right += int(np.count_nonzero(scores.reshape(len(scores), -1).argmax(1) == labels))
    accuracy = None if synthetic else right / len(split)
    save_measured(plan, session.engine.core.trace(), seconds, arguments)
    _report(plan, session, accuracy, seconds, arguments, say)
    return 0


def _report(
    plan: Plan,
    session: Session,
    accuracy: float | None,
    seconds: list[float],
    arguments: argparse.Namespace,
    say: Reporter,
) -> None:
    counted = session.engine.bytes_sent() // len(seconds)
    predicted = plan.volume_bytes
    figures: dict[str, Any] = {
        "final_loss": None,
        "accuracy": accuracy,
        "samples_per_second": plan.batch * len(seconds) / sum(seconds),
        "step_seconds": seconds_of(seconds, plan.core.step_seconds),
        "bytes_sent": {"predicted": predicted, "counted": counted},
        "peak_memory_bytes": peak_memory_bytes(),
        "time_to_target_seconds": None,
    }
    if not world.current().is_root:
        return
    if arguments.json:
        print_json(figures | plan.as_dict())
        return
    lines = [] if accuracy is None else [f"accuracy {percent(accuracy)}"]
    lines.append(
        f"{figures['samples_per_second']:,.0f} samples/s; batch "
        f"{duration(figures['step_seconds']['median'])} (median)"
    )
    lines.append(f"bytes sent per batch: predicted {predicted:,}, counted {counted:,}")
    say.result(lines)
