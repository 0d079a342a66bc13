"""The plans behind the claims are trained: a cell is matched, or named with the memory it needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import claims_cells
import claims_train as train

CLAIMS = Path(__file__).resolve().parents[2] / "bench" / "claims.py"
CELL = ("--networks", "vgg16@32", "--ranks", "2", "--batches", "32", "--machines", "cpu-1")


def claims(folder: Path, *options: str) -> tuple[str, list[dict[str, Any]]]:
    """The last line of a run, and its rows."""
    out = folder / "claims.jsonl"
    command = [sys.executable, str(CLAIMS), "--run", *CELL, "--no-volume", "--out", str(out)]
    command += ["--plan-seconds", "0.5", *options]
    environ = os.environ | {"PYTHONSAFEPATH": ""}  # the script imports its neighbours
    run = subprocess.run(command, capture_output=True, text=True, env=environ)
    assert run.returncode == 0, run.stderr
    rows = (folder / "claims_run.jsonl").read_text(encoding="utf-8").splitlines()
    return run.stdout.splitlines()[-1], [json.loads(row) for row in rows]


def test_a_planned_cell_trains_as_one_rank_does_and_is_not_run_twice(tmp_path: Path) -> None:
    summary, rows = claims(tmp_path)
    assert [row["status"] for row in rows] == ["matched"]
    assert summary.startswith("1 cells: 1 run and matched, 0 run and not matched, 0 failed")
    assert claims(tmp_path) == (summary, rows)


def test_an_error_of_a_few_thousandths_along_the_gradient_is_no_match() -> None:
    graph = claims_cells.load("vgg16@32")
    expected = train.reference(graph, batch=8, bn_group=2, threads=2)
    plan = train.one_rank(graph, batch=8, bn_group=2, shards=2)
    right, wrong = (
        train.trained(plan, graph.params, expected.rate * factor, threads=2)
        for factor in (1.0, 1.003)
    )
    assert train.deviations(right, expected)["status"] == "matched"
    assert train.deviations(wrong, expected)["status"] == "mismatched"


def test_a_cell_that_does_not_fit_is_named_with_its_need(tmp_path: Path) -> None:
    summary, rows = claims(tmp_path, "--memory", "0.5")
    assert [row["status"] for row in rows] == ["not_run"]
    assert rows[0]["need_bytes"] > 0.5 * 2**30
    assert "1 not run for want of memory" in summary
