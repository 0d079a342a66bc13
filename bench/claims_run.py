"""The plans of `claims.py`, run: three training steps of each must end where one rank's end.

    python bench/claims.py --run --plan-seconds 3   # cells of at most 4 ranks, shuffled
    python bench/claims.py --run --networks alexnet --ranks 4 --memory 16

Every cell is planned again, its plan is trained by threads of one process (claims_train.py) and
compared with one rank, which trains once per network, batch and statistics group; a plan that
several machines share trains once. A cell whose plan or whose one rank needs more memory than there
is stands in the JSON lines as `not_run`, with its need. Cells that they hold are not run again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import claims_train as train
from claims_cells import bn_group, cells, key, load, ours, request_of

import pyhpmp
from pyhpmp import planning
from pyhpmp.errors import HpmpError
from pyhpmp.figures import memory_bytes
from pyhpmp.plans import Plan

MOST_RANKS = 4
GIB = 2**30
PROCESS_BYTES = GIB // 2  # of Python and its libraries
SLACK = 1.15  # of the engines' memory: workspaces, and what the allocator leaves between
COPIES = 6  # of all weights: initial, two ends of one rank, one found, one in flight, loading
FREE_SHARE = 0.75  # of the memory that is free when the run starts
MATCHED, MISMATCHED, NOT_RUN, FAILED = "matched", "mismatched", "not_run", "failed"

Cell = dict[str, Any]
Setting = tuple[str, int, int]  # network, batch, statistics group: what one rank trains once


@dataclass(frozen=True)
class Job:
    """The cells of one setting, for a process of its own."""

    setting: Setting
    cells: list[Cell]
    plan_seconds: float
    memory: float
    out: Path


def run(arguments: argparse.Namespace, out: Path) -> int:
    """Runs what is missing in `out`; returns 1 where a plan did not match."""
    wanted = [cell for cell in cells(arguments) if cell["ranks"] <= MOST_RANKS]
    have = {key(row) for row in rows_of(out)}
    memory = arguments.memory * GIB if arguments.memory else FREE_SHARE * free_bytes()
    print(f"memory to use: {memory / GIB:.1f} GiB", flush=True)
    groups: dict[Setting, list[Cell]] = {}
    for cell in wanted:
        if key(cell) not in have:
            groups.setdefault(setting_of(cell), []).append(cell)
    order = list(groups)
    random.Random(0).shuffle(order)  # so that a run that is cut short is a fair sample
    for setting in order:
        in_a_process(Job(setting, groups[setting], arguments.plan_seconds, memory, out))
    return summarised(out, wanted)


def setting_of(cell: Cell) -> Setting:
    return cell["network"], cell["batch"], bn_group(cell["ranks"], cell["batch"])


def in_a_process(job: Job) -> None:
    """All memory of a setting goes with its process; where it is killed, its cells stay missing."""
    process = multiprocessing.get_context("spawn").Process(target=work, args=(job,))
    process.start()
    process.join()
    if process.exitcode:
        print(f"{job.setting}: the process ended with {process.exitcode}", flush=True)


def work(job: Job) -> None:
    """Appends a row for every cell of the job."""
    network, batch, group = job.setting
    graph = load(network)
    train.off_the_kink(graph)
    alone = train.one_rank(graph, batch, group, train.shards_of_one_rank(batch, group)[1])
    need = need_bytes(alone)
    expected: train.Reference | None = None
    results: dict[str, Cell] = {}
    for cell in job.cells:
        if need > job.memory:
            append(job.out, cell | refusal(need, job.memory, "one rank"))
            continue
        expected = expected or train.reference(graph, batch, group, threads=len(cores()))
        append(job.out, cell | {"bn_group": group} | outcome(cell, job, expected, results))


def outcome(
    cell: Cell, job: Job, expected: train.Reference, results: dict[str, Cell]
) -> dict[str, Any]:
    try:
        plan = planned(cell, job.plan_seconds, expected.graph)
        digest = hashlib.sha256(plan.core.text().encode()).hexdigest()[:16]
        if digest not in results:
            results[digest] = trained(plan, expected, job.memory)
        return {"plan": digest, "chosen": plan.core.strategy} | results[digest]
    except HpmpError as error:
        return {"status": FAILED, "error": str(error)}


def planned(cell: Cell, seconds: float, graph: pyhpmp.Graph) -> Plan:
    """The best plan, as it is after it was written to a file and read again."""
    prepared, request = graph.core.prepare(training=True), request_of(cell, seconds)
    best = planning.leaders(planning.tried(prepared, request)[0], request)
    core = best[ours(best, request)].plan
    with tempfile.NamedTemporaryFile("w", suffix=".hpmp") as file:
        file.write(core.text())
        file.flush()
        return pyhpmp.plan(
            graph,
            ranks=core.ranks,
            batch=core.batch,
            bn_group=core.bn_group,
            strategy=f"file:{file.name}",
        )


def trained(plan: Plan, expected: train.Reference, memory: float) -> dict[str, Any]:
    need = need_bytes(plan)
    if need > memory:
        return refusal(need, memory, f"{plan.ranks} ranks")
    began = time.perf_counter()
    found = train.trained(plan, expected.graph.params, expected.rate, threads=1)
    result = train.deviations(found, expected) | {"need_bytes": need}
    if found.sent != train.STEPS * plan.volume_bytes:
        result |= {"status": MISMATCHED, "sent": found.sent, "predicted": plan.volume_bytes}
    return result | {"rate": expected.rate, "run_seconds": time.perf_counter() - began}


def need_bytes(plan: Plan) -> int:
    """Memory of all ranks of a plan in one process, beside the copies of the weights."""
    weights = 4 * sum(info.elems for info in plan.prepared.params)
    return int(SLACK * sum(memory_bytes(plan.core)) + COPIES * weights) + PROCESS_BYTES


def refusal(need: int, memory: float, who: str) -> dict[str, Any]:
    why = f"{who} in one process: {need / GIB:.1f} GiB, {memory / GIB:.1f} GiB may be used"
    return {"status": NOT_RUN, "need_bytes": need, "why": why}


def free_bytes() -> int:
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    fields = dict(line.split(":") for line in lines)
    return int(fields["MemAvailable"].split()[0]) * 1024


def cores() -> set[int]:
    return os.sched_getaffinity(0)


def rows_of(path: Path) -> list[Cell]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def append(path: Path, row: Cell) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    print(line(row), flush=True)


def line(row: Cell) -> str:
    where = f"{row['network']} K={row['ranks']} B={row['batch']} {row['machine']}: {row['status']}"
    if row["status"] in (NOT_RUN, FAILED):
        return f"{where}, {row.get('why') or row.get('error')}"
    said = f"{where}, loss within {row['loss_deviation']:.1e}, updates within "
    return f"{said}{row['worst_of_allowed']:.0%} of allowed, {row['run_seconds']:.0f} s"


def summarised(out: Path, wanted: list[Cell]) -> int:
    """Prints the counts of the cells that were asked for, in one line."""
    asked = {key(cell) for cell in wanted}
    rows = [row for row in rows_of(out) if key(row) in asked]
    counts = Counter(row["status"] for row in rows)
    plans = {row["plan"] for row in rows if row["status"] in (MATCHED, MISMATCHED)}
    print(
        f"{len(asked)} cells: {counts[MATCHED]} run and matched, {counts[MISMATCHED]} run and not "
        f"matched, {counts[FAILED]} failed, {counts[NOT_RUN]} not run for want of memory, "
        f"{len(asked) - len(rows)} missing; {len(plans)} different plans ran"
    )
    return 1 if counts[MISMATCHED] or counts[FAILED] else 0
