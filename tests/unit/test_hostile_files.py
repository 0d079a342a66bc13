"""A hostile model file costs seconds and megabytes at most, and one line that names the cause."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hostile_files
import hostile_parts
import pytest
from hostile_files import BYTES, EXTERNAL
from hostile_models import REFUSED
from hostile_parts import Model

import pyhpmp

RISE_BYTES = 1_000_000_000


class Plans:
    """`hpmp-plan` in children of one server."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, path: Path) -> dict[str, Any]:
        """What `hpmp-plan path -n 2` did, within its limits whatever that was."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = [str(path), "-n", "2", "--infer", "--plan-seconds", "0", "-q"]
        self._process.stdin.write(json.dumps({"words": line}) + "\n")
        self._process.stdin.flush()
        did: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert did["ended"], "it hangs"
        assert did["code"] >= 0, f"ended by signal {-did['code']}"
        assert did["rise_bytes"] < RISE_BYTES
        assert "Traceback" not in did["err"]
        assert did["err"].replace("\n", "").isprintable()
        return did


@pytest.fixture(scope="module")
def plans() -> Iterator[Plans]:
    server = Path(__file__).with_name("hostile_server.py")
    environment = {**os.environ, "PYTHONPATH": str(Path(pyhpmp.__file__).parents[1])}
    with subprocess.Popen(
        [sys.executable, str(server)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        yield Plans(process)
        assert process.stdin is not None
        process.stdin.close()


def refused(plans: Plans, path: Path, reason: str) -> None:
    did = plans(path)
    message = did["err"]
    assert did["code"] == 2, message
    assert message.count("\n") == 1
    assert len(message) < 7000
    assert re.search(reason, message), message


def written(folder: Path, model: Model) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("name", REFUSED)
def test_hostile_model_is_refused(name: str, plans: Plans, tmp_path: Path) -> None:
    model, reason = REFUSED[name]
    refused(plans, written(tmp_path, model()), reason)


@pytest.mark.parametrize("name", BYTES)
def test_hostile_bytes_are_refused(name: str, plans: Plans, tmp_path: Path) -> None:
    write, reason = BYTES[name]
    write(tmp_path / "model.onnx")
    refused(plans, tmp_path / "model.onnx", reason)


@pytest.mark.parametrize("name", EXTERNAL)
def test_hostile_external_data_is_refused(name: str, plans: Plans, tmp_path: Path) -> None:
    write, reason = EXTERNAL[name]
    refused(plans, write(tmp_path), reason)


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/stdin", ".", "a\nb", "n" * 5000])
def test_paths_that_are_no_files_are_refused(path: str, plans: Plans) -> None:
    refused(plans, Path(path), "not a regular file|no such file|too long")


def test_a_fifo_in_the_place_of_a_model_is_refused(plans: Plans, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.onnx")
    refused(plans, tmp_path / "model.onnx", "not a regular file")


def test_no_secret_is_read(plans: Plans, tmp_path: Path) -> None:
    """The time of the last reading stays what it was."""
    path = hostile_files.symbolic_link(tmp_path)
    secret = tmp_path / "secret"
    os.utime(secret, ns=(10**9, 10**18))
    refused(plans, path, "symbolic link")
    assert secret.stat().st_atime_ns == 10**9


def test_unusual_but_valid_models_are_planned(plans: Plans, tmp_path: Path) -> None:
    ugly = "\x1b[31mred\n\u202e" + "n" * 500
    models = {
        "a long chain": hostile_parts.chain(2000),
        "a long chain of slices": hostile_parts.slices_of_slices(2000),
        "concats that double": hostile_parts.doubling_concats(16),
        "nodes of one name": hostile_parts.chain(2000, name="same"),
        "many outputs": hostile_parts.many_outputs(500),
        "an ugly name": hostile_parts.relu(name=ugly),
        "an output without a name": hostile_parts.unnamed_output(),
    }
    for name, model in models.items():
        did = plans(written(tmp_path, model))
        assert (name, did["code"], did["err"]) == (name, 0, "")
        assert did["out"].replace("\n", "").isprintable()
