"""The GPUs of these tests: a driver whose GPU is the host, and a real one where there is one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyhpmp.devices import gpus_here

ROOT = Path(__file__).resolve().parents[2]
FAKE = ROOT / "tests/native/fake_cuda"
Environment = dict[str, str]


@pytest.fixture(scope="session")
def fake_gpu(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """What makes a process see a GPU that is the host's processor."""
    compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        pytest.skip("no C++ compiler to build the fake driver with")
    library = tmp_path_factory.mktemp("fake_cuda") / "libfake_cuda.so"
    sources = [str(path) for path in sorted(FAKE.glob("*.cpp"))]
    flags = ["-std=c++17", "-O2", "-march=native", "-shared", "-fPIC", "-I", str(ROOT / "native")]
    subprocess.run([compiler, *flags, *sources, "-o", str(library), "-ldl"], check=True)
    return {
        "HPMP_CUDA_DRIVER": str(library),
        "HPMP_NVRTC": str(library),
        "HPMP_CUDNN": "none",
        "HPMP_FAKE_GPUS": "2",
    }


@pytest.fixture(params=["fake", "real"])
def gpu(request: pytest.FixtureRequest) -> Environment:
    """The environment of a program that uses a GPU."""
    if request.param == "fake":
        environment: Environment = request.getfixturevalue("fake_gpu")
        return environment
    gpus, why = gpus_here()
    if gpus == 0:
        pytest.skip(f"no GPU here: {why}")
    return {}


@pytest.fixture
def program() -> Callable[..., dict[str, Any]]:
    """program(words, environment): the JSON that a Python program printed."""

    def run(words: list[str], environment: Environment) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, *words],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    return run
