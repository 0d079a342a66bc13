"""hpmp-run --infer: the forward part over a data set."""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from typing import Any

from pyhpmp import Plan, Session, world
from pyhpmp.commands.feeding import feed_of
from pyhpmp.commands.results import (
    peak_memory_bytes,
    print_json,
    save_measured,
    seconds_of,
    wants_trace,
)
from pyhpmp.commands.terminal import Reporter
from pyhpmp.data import SYNTHETIC, Dataset, Feed, Part, in_order
from pyhpmp.report import duration, percent
from pyhpmp.scores import Scores

WARM_UP_RUNS, SYNTHETIC_RUNS = 2, 20


def infer(plan: Plan, data: Dataset, arguments: argparse.Namespace, say: Reporter) -> int:
    """Runs the test part (else the training part) once; synthetic images several times."""
    session = Session(
        plan,
        keep_weights=False,
        threads=arguments.threads,
        trace=wants_trace(arguments),
        timeout=arguments.timeout,
        device=arguments.device,
        numerics=arguments.numerics,
    )
    synthetic = data.name == SYNTHETIC
    runs = (arguments.steps or SYNTHETIC_RUNS) if synthetic else 1
    part = data.test or data.train
    with feed_of(session.plan, data, arguments.threads) as feed:
        if synthetic:
            _run(session, feed, part, WARM_UP_RUNS)
        session.engine.reset_counters()
        found, seconds = _run(session, feed, part, runs)
    save_measured(plan, session.engine.core.trace(), seconds, arguments)
    _report(plan, session, None if synthetic else found, seconds, arguments, say)
    return 0


def _run(session: Session, feed: Feed, part: Part, runs: int) -> tuple[Scores, list[float]]:
    """What all samples scored, on rank 0, and the seconds of every batch."""
    found, seconds = Scores(), list[float]()
    for _ in range(runs):
        with closing(feed.batches(part, in_order(len(part), feed.batch))) as batches:
            for images, labels in batches:
                began = time.perf_counter()
                scores = session(images)
                seconds.append(time.perf_counter() - began)
                if world.current().is_root:
                    found += Scores.of_logits(scores, labels)
    return found, seconds


def _report(
    plan: Plan,
    session: Session,
    found: Scores | None,
    seconds: list[float],
    arguments: argparse.Namespace,
    say: Reporter,
) -> None:
    counted = session.engine.bytes_sent() // len(seconds)
    predicted = plan.volume_bytes
    figures: dict[str, Any] = {
        "final_loss": None,
        "accuracy": None if found is None else found.accuracy,
        "mean_iou": None if found is None else found.mean_iou,
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
    lines = [] if found is None else [_shown(found)]
    lines.append(
        f"{figures['samples_per_second']:,.0f} samples/s; batch "
        f"{duration(figures['step_seconds']['median'])} (median)"
    )
    lines.append(f"bytes sent per batch: predicted {predicted:,}, counted {counted:,}")
    say.result(lines)


def _shown(scores: Scores) -> str:
    iou = "" if scores.mean_iou is None else f", mean IoU {percent(scores.mean_iou)}"
    return f"accuracy {percent(scores.accuracy)}{iou}"
