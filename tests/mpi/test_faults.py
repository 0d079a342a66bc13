"""A training run whose ranks are killed or interrupted ends soon, says why, and leaves nothing."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from starting import outside_environment

from pyhpmp.launch.environment import launched_rank

MARK = "HPMP_TEST_MARK"
INSTRUCTION = r"'(LOAD|FWD|BWD|SEND|POST|RECV|WAIT|REDUCE|UPDATE)\b[^']*'"


@contextlib.contextmanager
def training(folder: Path, mark: str) -> Iterator[subprocess.Popen[str]]:
    """hpmp-run on 2 ranks in the midst of training, its environment marked."""
    command = [sys.executable, "-P", "-m", "pyhpmp.commands.run"]
    with subprocess.Popen(
        [*command, "zoo:lenet5", "--data", "digits", "-n", "2", "--epochs", "1000"],
        cwd=folder,
        env=outside_environment() | {MARK: mark},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("epoch 1/"):
                break
        try:
            yield process
        finally:
            process.kill()


def ranks_of(mark: str) -> dict[int, int]:
    """pid by rank of the Python processes that carry the mark and that a supervisor started."""
    pids = {}
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            text = (folder / "environ").read_text(errors="replace")
            environ = dict(word.split("=", 1) for word in text.split("\0") if "=" in word)
            python = (folder / "cmdline").read_text().startswith(sys.executable)
            if environ.get(MARK) == mark and "HPMP_STATUS_DIR" in environ and python:
                pids[launched_rank(environ)] = int(folder.name)
    return pids


@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_rank_is_named_with_the_instruction_it_was_in(tmp_path: Path, victim: int) -> None:
    mark = uuid.uuid4().hex
    with training(tmp_path, mark) as process:
        pids = ranks_of(mark)
        assert sorted(pids) == [0, 1]
        os.kill(pids[victim], signal.SIGKILL)
        start = time.monotonic()
        rest, _ = process.communicate(timeout=30)
        assert time.monotonic() - start < 10
    assert process.returncode == 1
    last = rest.splitlines()[-1]
    assert re.match(
        rf"hpmp-run: rank {victim} \(host \S+, pid {pids[victim]}\) was killed by signal 9 "
        rf"in instruction {INSTRUCTION}",
        last,
    )
    assert ranks_of(mark) == {}
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_run_leaves_no_rank_and_no_file(tmp_path: Path) -> None:
    mark = uuid.uuid4().hex
    with training(tmp_path, mark) as process:
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert rest.splitlines()[-1] == "hpmp-run: ended by SIGINT"
    assert ranks_of(mark) == {}
    assert list(tmp_path.iterdir()) == []
