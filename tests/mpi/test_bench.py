"""hpmp-bench over MPI: transport and steps of two ranks, as JSON lines."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from starting import outside_environment

from pyhpmp.profile import read_profile


def hpmp_bench(folder: Path, *words: object) -> list[dict[str, Any]]:
    said = subprocess.run(
        [sys.executable, "-m", "pyhpmp.commands.bench", *map(str, words), "--quick", "--json"],
        cwd=folder,
        env=outside_environment(),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert (said.returncode, said.stderr) == (0, "")
    return [json.loads(line) for line in said.stdout.splitlines()]


def test_two_ranks_time_their_transport_and_write_a_link(tmp_path: Path) -> None:
    found = hpmp_bench(tmp_path, "comm", "-n", 2, "--save-profile", "m.json")
    assert {row["kind"] for row in found} == {"ping_pong", "all_reduce"}
    for row in found:
        assert row["bench"] == "comm"
        assert row["ranks"] == [0, 1]
        assert row["bytes_per_second"] > 0
        assert row["seconds"]["p10"] <= row["seconds"]["median"] <= row["seconds"]["p90"]
    speeds = read_profile(tmp_path / "m.json").speeds
    assert speeds["link_latency_seconds"] < 1
    assert speeds["transport_bytes_per_second"] > speeds["link_bytes_per_second"]


def test_two_ranks_measure_at_once_and_write_one_profile(tmp_path: Path) -> None:
    words = ("kernels", "zoo:lenet5", "-n", 2, "--seconds", 0.01, "--save-profile", "m.json")
    found = hpmp_bench(tmp_path, *words)
    assert [row["bench"] for row in found].count("host") == 1
    profile = read_profile(tmp_path / "m.json")
    assert profile.measured["kernels"]["ranks"] == 2
    assert len(profile.rates) == len(found) - 1


def test_two_ranks_time_a_step_beside_its_prediction(tmp_path: Path) -> None:
    (found,) = hpmp_bench(tmp_path, "step", "zoo:resnet20", "-n", 2)
    assert found["bench"] == "step"
    assert found["ranks"] == 2
    assert found["step_seconds"]["median"] > 0
    assert found["step_seconds"]["predicted"] > 0
    assert {"FWD", "BWD", "UPDATE"} <= {row["kind"] for row in found["instructions"]}
