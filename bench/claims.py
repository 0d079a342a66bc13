"""The tables of the README: every strategy against ours, on many networks, ranks and machines.

    python bench/claims.py                              # every cell; JSON lines and Markdown
    python bench/claims.py --networks alexnet --ranks 4 --batches 128 --machines gpu-10
    python bench/claims.py --markdown                   # the tables again, from the JSON lines
    python bench/claims.py --run --plan-seconds 3       # train three steps of every chosen plan

A cell is a network, a number of ranks, a global batch and a machine. Each is planned for time, and
each network, ranks and batch also for volume. Every strategy's plan is made and passes the
verifier, except where it would have more than 200,000 messages: such a row is predicted, and named
under `not_made`. Cells that the JSON lines already hold are not planned again.

`--run` is a run of its own; see claims_run.py.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import time
from pathlib import Path
from typing import Any

import claims_run
import claims_tables
from claims_cells import (
    BATCHES,
    MACHINES,
    NETWORKS,
    RANKS,
    VOLUME,
    cells,
    key,
    load,
    ours,
    request_of,
)

from pyhpmp import planning
from pyhpmp.candidates import Candidate
from pyhpmp.errors import HpmpError
from pyhpmp.strategies import BASELINES

HERE = Path(__file__).parent
MOST_MESSAGES = 200_000  # of a plan that is made to be verified


def planned(cell: dict[str, Any], seconds: float, patience: float) -> dict[str, Any]:
    """The cell with the figures of every strategy; `ours` is the best plan that was found."""
    graph = load(cell["network"]).core.prepare(training=True)
    request = request_of(cell, seconds, patience)
    began, began_cpu = time.perf_counter(), time.process_time()
    found, refused = planning.tried(graph, request)
    best = planning.leaders(found, request)
    taken, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    made = {name for name, candidate in best.items() if candidate.figures.messages <= MOST_MESSAGES}
    for name in made:
        best[name].plan.verify(graph)
    rows = {name: row(candidate) for name, candidate in best.items()}
    chosen = ours(best, request)
    return cell | {
        "bn_group": request.bn_group,
        "planning_seconds": taken,
        "planning_cpu_seconds": cpu,
        "ideal_seconds": min(row["busy_seconds"] for row in rows.values()),
        "chosen": chosen,
        "ours": rows[chosen],
        "strategies": {name: rows.get(name) for name in BASELINES},
        "not_made": sorted(rows.keys() - made),
        "refused": {name: str(why) for name, why in refused.items() if name not in rows},
    }


def row(candidate: Candidate) -> dict[str, Any]:
    """Of its plan where that is made, else predicted: the same but for the holes in its arenas."""
    figures = candidate.figures
    return {
        "shards": candidate.shards,
        "activation_bytes": figures.activation_bytes,
        "parameter_bytes": figures.parameter_bytes,
        "imbalance": figures.imbalance,
        "memory_bytes": figures.memory_bytes,
        "step_seconds": figures.step_seconds,
        "busy_seconds": figures.step_seconds * (1 - figures.bubble_fraction),
    }


def _work(job: tuple[dict[str, Any], float, float]) -> dict[str, Any]:
    cell, seconds, patience = job
    try:
        return planned(cell, seconds, patience)
    except HpmpError as error:
        return cell | {"error": str(error)}


def known(path: Path) -> list[dict[str, Any]]:
    """What was planned before, in the order of the cells."""
    if not path.exists():
        return []
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    machines = (*MACHINES, VOLUME)
    return sorted(
        rows,
        key=lambda row: (
            NETWORKS.index(row["network"]),
            row["ranks"],
            row["batch"],
            machines.index(row["machine"]),
        ),
    )


def run(arguments: argparse.Namespace) -> None:
    have = {key(row) for row in known(arguments.out)}
    missing = [cell for cell in cells(arguments) if key(cell) not in have]
    random.Random(0).shuffle(missing)  # so that a run that is cut short is a fair sample
    jobs = [(cell, arguments.plan_seconds, arguments.patience) for cell in missing]
    with (
        multiprocessing.get_context("spawn").Pool(arguments.jobs) as pool,
        arguments.out.open("a", encoding="utf-8") as file,
    ):
        for count, row in enumerate(pool.imap_unordered(_work, jobs), 1):
            file.write(json.dumps(row) + "\n")
            file.flush()
            print(f"{count}/{len(jobs)} {claims_tables.line(row)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--ranks", nargs="+", type=int, default=RANKS)
    parser.add_argument("--batches", nargs="+", type=int, default=BATCHES)
    parser.add_argument("--machines", nargs="*", choices=MACHINES, default=tuple(MACHINES))
    parser.add_argument("--no-volume", dest="volume", action="store_false")
    parser.add_argument("--plan-seconds", type=float, default=10.0)
    parser.add_argument(
        "--patience",
        type=float,
        default=1.0,
        help="wall-clock seconds per second of planning: above 1 on a busy machine (default 1)",
    )
    parser.add_argument("--jobs", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--out", type=Path, default=HERE / "claims.jsonl")
    parser.add_argument("--markdown", action="store_true", help="only write the tables again")
    parser.add_argument("--run", action="store_true", help="train with plans of 2 and 4 ranks")
    parser.add_argument("--memory", type=float, help="GiB that --run may use")
    arguments = parser.parse_args()
    if arguments.run:
        out = arguments.out.with_name(f"{arguments.out.stem}_run.jsonl")
        raise SystemExit(claims_run.run(arguments, out))
    if not arguments.markdown:
        run(arguments)
    claims_tables.write(known(arguments.out), arguments.out.with_suffix(".md"))


if __name__ == "__main__":
    main()
