"""Runs a program of ranks.py on K ranks, the way hpmp-run does, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest
from starting import SUPERVISE, RunRanks, StartRanks, outside_environment


@pytest.fixture
def start_ranks() -> StartRanks:
    """start_ranks("die", 2, *arguments): a running supervisor with pipes."""

    def start(program: str, ranks: int, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-P", "-c", SUPERVISE, str(ranks), program, *arguments],
            env=outside_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture
def run_ranks(start_ranks: StartRanks) -> RunRanks:
    """run_ranks("agree", 3): the finished run, within a minute."""

    def run(program: str, ranks: int, *arguments: str) -> subprocess.CompletedProcess[str]:
        with start_ranks(program, ranks, *arguments) as process:
            try:
                out, err = process.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    return run
