"""Volume, balance and planning time of every strategy, as a table and as JSON lines.

    python bench/volume.py                 # the table of bench/README.md
    python bench/volume.py --json          # one object per network and strategy
    python bench/volume.py alexnet vgg16   # some of the networks

Volumes are elements that all ranks together send in one training step, in millions; planning takes
everything from the loaded network to the verified plan, all shard counts and strategies included.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

import pyhpmp

ELEMENT_BYTES = 4  # of the fp32 plans here

# network, image side, ranks, global batch, samples per statistics group (0: the default)
CASES = [
    ("alexnet", None, 4, 128, 0),
    ("vgg16", None, 4, 128, 0),
    ("vgg16", 32, 4, 128, 0),
    ("resnet50", None, 4, 128, 0),
    ("resnet50", None, 4, 128, 8),
    ("densenet121", None, 4, 128, 8),
    ("alexnet", None, 8, 256, 0),
    ("vgg16", None, 8, 256, 0),
]


def measured(case: tuple[str, int | None, int, int, int]) -> Iterator[dict[str, Any]]:
    name, image, ranks, batch, bn_group = case
    graph = pyhpmp.load(f"zoo:{name}", image=image)
    began = time.perf_counter()
    plan = pyhpmp.plan(
        graph, ranks=ranks, batch=batch, bn_group=bn_group, objective="volume", compare=True
    )
    seconds = time.perf_counter() - began
    for row in plan.comparison.strategies:
        if row.total_bytes is None:
            continue
        yield {
            "network": name if image is None else f"{name} ({image}x{image})",
            "ranks": ranks,
            "batch": batch,
            "bn_group": plan.core.bn_group,
            "strategy": row.name,
            "chosen": row.name == plan.comparison.chosen,
            "shards": plan.core.shards if row.name == plan.comparison.chosen else None,
            "volume_elems": row.total_bytes // ELEMENT_BYTES,
            "imbalance": row.imbalance,
            "planning_seconds": seconds,
        }


def printed(results: list[dict[str, Any]]) -> None:
    table = Table("network", "K", "batch", "bn", "strategy", "volume, M", "imbalance", "planned in")
    for row in results:
        table.add_row(
            row["network"],
            str(row["ranks"]),
            str(row["batch"]),
            str(row["bn_group"]),
            row["strategy"] + (f" (S={row['shards']})" if row["chosen"] else ""),
            f"{row['volume_elems'] / 1e6:.1f}",
            f"{row['imbalance']:.1%}",
            f"{row['planning_seconds']:.1f} s" if row["chosen"] else "",
            end_section=row["strategy"] == "owt",
        )
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", help="by default all")
    parser.add_argument("--json", action="store_true", help="JSON lines instead of a table")
    arguments = parser.parse_args()
    results = []
    for case in CASES:
        if arguments.networks and case[0] not in arguments.networks:
            continue
        for row in measured(case):
            results.append(row)
            if arguments.json:
                print(json.dumps(row), flush=True)
    if not arguments.json:
        printed(results)


if __name__ == "__main__":
    main()
