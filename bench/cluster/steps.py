"""A rank that trains some steps of every strategy, and reads what its interface sent meanwhile.

Started by wire.py on every host of a cluster with one JSON word: what `Wanted` holds.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import pyhpmp
from pyhpmp import world
from pyhpmp.errors import HpmpError

COUNTER = Path("/sys/class/net/eth0/statistics/tx_bytes")  # of this host: /sys is its namespace's
RATE = 1e-4
WARM_UP = 2


@dataclass(frozen=True)
class Wanted:
    """network: that is planned for. repeats: of the counted steps."""

    model: str
    image: int | None
    batch: int
    strategies: list[str]
    network: str
    profile: str | None
    repeats: int
    plan_seconds: float


def measured(wanted: Wanted, strategy: str) -> dict[str, Any]:
    """Collective; rank 0's row counts."""
    ranks = world.current()
    graph = pyhpmp.load(f"zoo:{wanted.model}", image=wanted.image)
    plan = pyhpmp.plan(
        graph,
        batch=wanted.batch,
        bn_group=min(8, wanted.batch // ranks.size),
        strategy=strategy,
        network=wanted.network,
        profile=wanted.profile,
        seconds=wanted.plan_seconds,
    )
    trainer = pyhpmp.Trainer(plan, pyhpmp.SGD(RATE, momentum=0.9), threads=1)
    random = np.random.default_rng(1)
    images = random.standard_normal((plan.batch, *graph.input_shape), dtype=np.float32)
    labels = random.integers(0, graph.classes, plan.batch)
    for _ in range(WARM_UP):
        trainer.step(images, labels)
    ranks.gather(None)
    trainer.engine.reset_counters()
    before, seconds = int(COUNTER.read_text()), []
    for _ in range(wanted.repeats):
        began = time.perf_counter()
        trainer.step(images, labels)
        seconds.append(time.perf_counter() - began)
    sent = int(COUNTER.read_text()) - before
    slowest = np.max(ranks.gather(seconds), axis=0)
    return {
        "strategy": strategy,
        "predicted_bytes": plan.volume_bytes,
        "counted_bytes": trainer.bytes_sent() // wanted.repeats,
        "wire_bytes": sum(ranks.gather(sent)) // wanted.repeats,
        "messages": plan.core.messages,
        "predicted_seconds": plan.core.step_seconds,
        "seconds": float(np.median(slowest)),
    }


def main() -> None:
    wanted = Wanted(**json.loads(sys.argv[1]))
    rows = []
    for strategy in wanted.strategies:
        try:
            rows.append(measured(wanted, strategy))
        except HpmpError as error:  # the same on every rank
            rows.append({"strategy": strategy, "unavailable": str(error)})
    if world.current().is_root:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
