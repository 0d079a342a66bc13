"""hpmp-bench measures a GPU: its ops, its copies, a step on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pyhpmp.profile import read_profile

SHORT = ("--quick", "--repeats", "1")


def bench(gpu: dict[str, str], *words: str) -> list[dict[str, Any]]:
    """The objects that hpmp-bench printed."""
    done = subprocess.run(
        [sys.executable, "-m", "pyhpmp.commands.bench", *words, *SHORT, "--json"],
        env={**os.environ, **gpu},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_every_op_has_rates_and_the_profile_keeps_them(
    gpu: dict[str, str], tmp_path: Path, dtype: str
) -> None:
    saved = tmp_path / "m.json"
    words = ["--seconds", "0.01", "--dtype", dtype, "--save-profile", str(saved)]
    found = bench(gpu, "kernels", "zoo:lenet5", "--device", "cuda", *words)
    assert all(row["machine"]["device"] == "cuda" for row in found)
    assert found[0]["bench"] == "device"
    assert found[0]["to_host_bytes_per_second"] > 0
    assert found[0]["to_device_bytes_per_second"] > 0
    assert {row["op"] for row in found[1:]} >= {"Conv", "Dense", "Relu", "MaxPool", "Loss"}
    conv = next(row for row in found if row.get("op") == "Conv")
    assert set(conv["flops_per_second"]) == {"forward", "backward", "weights"}
    profile = read_profile(saved)
    assert profile.dtype == dtype
    assert profile.measured["kernels"]["device"] == "cuda"
    assert profile.speeds["update_seconds_per_elem"] > 0


def test_a_link_is_timed_between_gpus(gpu: dict[str, str], tmp_path: Path) -> None:
    saved = tmp_path / "m.json"
    words = ["comm", "-n", "2", "--device", "cuda", "--save-profile", str(saved)]
    found = bench(gpu, *words)
    assert [row["bench"] for row in found[:2]] == ["device", "comm"]
    assert all(row["machine"]["device"] == "cuda" for row in found)
    assert read_profile(saved).speeds["link_bytes_per_second"] > 0


def test_a_step_is_predicted_and_measured(gpu: dict[str, str]) -> None:
    (found,) = bench(gpu, "step", "zoo:lenet5", "--batch", "8", "--device", "cuda")
    assert found["machine"]["device"] == "cuda"
    assert found["step_seconds"]["median"] > 0
