"""Networks train and run on a GPU as on the CPU: on one rank and on several that share it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from curves import CASES, outcome

Program = Callable[[list[str], dict[str, str]], dict[str, Any]]
CURVES = str(Path(__file__).with_name("curves.py"))
TOLERANCE = {"fp32": 1e-4, "bf16": 3e-2}


@pytest.mark.parametrize("name", CASES)
def test_training_and_outputs_are_those_of_the_cpu(
    name: str, gpu: dict[str, str], program: Program
) -> None:
    if CASES[name].get("dtype") == "bf16" and "avx512f" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("bf16 on the CPU takes AVX-512")
    found = program([CURVES, "cuda", name], gpu)
    expected = outcome("cpu", dict(CASES[name]))
    tolerance = TOLERANCE[CASES[name].get("dtype", "fp32")]
    np.testing.assert_allclose(found["losses"], expected["losses"], rtol=tolerance)
    for param, digest in expected["weights"].items():
        scale = max(digest[0], 1e-6)
        error = np.abs(np.subtract(found["weights"][param], digest)) / scale
        assert error.max() < tolerance, param
    outputs = np.array(expected["outputs"])
    spread = np.abs(outputs).max()
    np.testing.assert_allclose(found["outputs"], outputs, rtol=0, atol=10 * tolerance * spread)


@pytest.mark.parametrize("words", [["--steps", "3"], ["--steps", "2", "-n", "2"], ["--infer"]])
def test_hpmp_run_takes_the_gpu(
    words: list[str], gpu: dict[str, str], program: Program, tmp_path: Path
) -> None:
    base = ["-m", "pyhpmp.commands.run", "zoo:lenet5", "--data", "digits", "--json"]
    base += ["--lr", "0.01", "--warmup", "0", "--batch", "24", "--threads", "1"]
    saved = [] if "--infer" in words else ["--save", str(tmp_path / "out.onnx")]
    on_gpu = program([*base, *words, *saved, "--device", "cuda"], gpu)
    on_cpu = program([*base, *words, *saved, "--device", "cpu"], gpu)
    if on_cpu["final_loss"] is not None:
        assert on_gpu["final_loss"] == pytest.approx(on_cpu["final_loss"], rel=1e-4)
    assert on_gpu["accuracy"] == pytest.approx(on_cpu["accuracy"], abs=0.01)
    assert on_gpu["bytes_sent"] == on_cpu["bytes_sent"]


def test_auto_is_the_gpu_where_there_is_one(gpu: dict[str, str]) -> None:
    code = (
        "from pyhpmp import devices, local, world;"
        "print(local.run(3, lambda rank: devices.choose('auto', world.current())))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **gpu},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count("cuda") == 3
    if gpu:  # two fake GPUs: ranks of a host take them in turn
        assert [word.split("=")[1][0] for word in done.stdout.split("gpu")[1:]] == ["0", "1", "0"]


def test_cuda_without_a_gpu_is_a_mistake_with_a_cure() -> None:
    environment = {**os.environ, "HPMP_CUDA_DRIVER": "/no/libcuda.so"}
    words = ["-m", "pyhpmp.commands.run", "zoo:lenet5", "--steps", "1", "--device", "cuda"]
    done = subprocess.run(
        [sys.executable, *words], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "/no/libcuda.so" in done.stderr
    assert "use --device cpu" in done.stderr
