"""Calls a partitioner library in a process of its own, with a time limit, and checks its answer."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from pyhpmp.errors import InternalError, InvalidArgumentError
from pyhpmp.partitioners.problem import Problem

WORKER = Path(__file__).with_name("library_worker.py")


def is_installed(library: str) -> bool:
    return importlib.util.find_spec(library) is not None


def partitions(problem: Problem, library: str, seeds: list[int], seconds: float) -> list[list[int]]:
    """Parts of the vertices for each seed that was done in time.

    Raises:
        InvalidArgumentError: the library is not installed.
        InternalError: it gave no usable partition, with the last line that it printed.
    """
    if not is_installed(library):
        raise InvalidArgumentError(
            f"partitioner '{library}' is not installed; run 'pip install {library}' or use 'native'"
        )
    with tempfile.TemporaryDirectory(prefix="hpmp-partition-") as name:
        folder = Path(name)
        _write(problem, seeds, folder)
        said = _run(library, folder, seconds)
        done = [folder / f"part-{seed}.json" for seed in seeds]
        found = [json.loads(path.read_text()) for path in done if path.exists()]
    usable = [part for part in found if _is_partition(part, problem)]
    if not usable:
        raise InternalError(f"partitioner '{library}' gave no partition: {said}; use 'native'")
    return usable


def _write(problem: Problem, seeds: list[int], folder: Path) -> None:
    fields = ("weight", "nets", "cost", "capacity", "fixed", "epsilon")
    given = {field: getattr(problem, field) for field in fields}
    (folder / "problem.json").write_text(json.dumps({**given, "seeds": seeds}))


def _run(library: str, folder: Path, seconds: float) -> str:
    """Runs the worker; returns why it ended, for an error message."""
    # -P keeps this folder off the module path: its files must not shadow the libraries.
    command = [sys.executable, "-P", str(WORKER), library, str(folder)]
    try:
        run = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            timeout=seconds,
            check=False,
            text=True,
            errors="replace",
        )
    except subprocess.TimeoutExpired:
        return f"it needed more than {seconds:.3g} s"
    lines = run.stdout.strip().splitlines()
    return f"it ended with code {run.returncode}" + (f" ({lines[-1].strip()})" if lines else "")


def _is_partition(part: object, problem: Problem) -> bool:
    parts = len(problem.capacity)
    return (
        isinstance(part, list)
        and len(part) == len(problem.weight)
        and all(isinstance(p, int) and 0 <= p < parts for p in part)
    )
