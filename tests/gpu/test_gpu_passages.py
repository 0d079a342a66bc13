"""Ranks that are processes send from GPU to GPU where they can, with the same results."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
LAUNCH = """
import sys
from pyhpmp import launch
sys.exit(launch.run(sys.argv[2:], int(sys.argv[1]), module="passages"))
"""
RUNS = [(2, "data"), (2, "layer"), (4, "hypergraph")]


def run(ranks: int, strategy: str, environment: dict[str, str]) -> dict[str, dict[str, Any]]:
    """What each case of passages.py came to; every launch is made once."""
    return launched(ranks, strategy, *sorted(environment.items()))


@functools.cache
def launched(ranks: int, strategy: str, *environment: tuple[str, str]) -> dict[str, dict[str, Any]]:
    paths = [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-c", LAUNCH, str(ranks), strategy],
        env={**os.environ, **dict(environment), "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


def are_equal(found: dict[str, dict[str, Any]]) -> bool:
    """Bit by bit."""
    return len({json.dumps([case["losses"], case["weights"]]) for case in found.values()}) == 1


def by(way: str, case: dict[str, Any]) -> bool:
    """Whether all of its bytes went that way."""
    return bool(case["sent"][way] == case["expected"])


def all_counted(found: dict[str, dict[str, Any]]) -> bool:
    """As many bytes as the metric says, whichever way they went."""
    return all(sum(case["sent"].values()) == case["expected"] > 0 for case in found.values())


@pytest.mark.parametrize(("ranks", "strategy"), RUNS)
def test_processes_of_a_host_write_each_others_gpus(
    ranks: int, strategy: str, gpu: dict[str, str]
) -> None:
    found = run(ranks, strategy, gpu)
    assert are_equal(found)
    assert all_counted(found)
    assert by("gpu", found["gpu"])
    assert by("gpu", found["gpu_again"])
    assert by("host", found["off"])
    assert found["off"]["memory"] < found["gpu"]["memory"]
    assert found["off_on_one"]["sent"]["host"] > 0
    assert [case["left_open"] for case in found.values()] == [0] * len(found)


@pytest.mark.parametrize(("ranks", "strategy"), RUNS)
def test_pairs_whose_gpus_cannot_reach_each_other_send_through_the_host(
    ranks: int, strategy: str, fake_gpu: dict[str, str]
) -> None:
    found = run(ranks, strategy, fake_gpu)
    assert are_equal(found)
    assert all_counted(found)
    for name in ("not_named", "not_opened"):
        assert by("host", found[name]), name
        assert found[name]["memory"] == found["off"]["memory"]
    one_way = found["not_opened_by_one"]["sent"]
    assert one_way["host"] > 0
    assert one_way["gpu"] > 0


@pytest.mark.parametrize(("ranks", "strategy"), RUNS[::2])
def test_an_mpi_that_takes_a_gpus_memory_is_handed_it(
    ranks: int, strategy: str, fake_gpu: dict[str, str]
) -> None:
    found = run(ranks, strategy, {**fake_gpu, "HPMP_GPU_MPI": "1"})
    assert are_equal(found)
    assert all_counted(found)
    assert by("gpu", found["gpu"])
    for name in ("off", "not_named", "not_opened"):
        assert by("mpi", found[name]), name
    assert all(case["sent"]["host"] == 0 for case in found.values())
