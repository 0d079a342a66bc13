"""A worker's side: build once, then answer "run n steps" with the seconds that each took.

Requests and answers are JSON lines, over the driver's Unix socket or, by hand, stdin and stdout:

    {"steps": 3} -> {"seconds": [...], "cpu_seconds": [...], "peak_bytes": ..., "loss": ...}

A worker that waits blocks in a read. How much processor time it used nevertheless since its last
answer is part of the next one.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from peers.job import Job, Unavailable

WARM_UP = 2
Answer = dict[str, Any]


def _nothing() -> None:
    """The barrier of a single rank."""


@dataclass(frozen=True)
class Work:
    """step: runs one step, returns a number that must be finite. facts: for the driver.

    barrier: ranks wait for each other before the clock starts.
    """

    step: Callable[[], float]
    facts: dict[str, Any]
    barrier: Callable[[], None] = _nothing


class Line:
    """The two directions of a conversation in JSON lines."""

    def __init__(self, reader: TextIO, writer: TextIO) -> None:
        self._reader, self._writer = reader, writer

    def say(self, message: Answer) -> None:
        self._writer.write(json.dumps(message) + "\n")
        self._writer.flush()

    def requests(self) -> Iterator[Answer]:
        for text in self._reader:
            yield json.loads(text)


def limit_threads(threads: int) -> None:
    """For libraries not yet imported."""
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(threads)


def main(build: Callable[[Job], Work]) -> None:
    """Builds what the command line's job asks for and serves until the driver hangs up."""
    job = Job.parse(sys.argv[1])
    limit_threads(job.threads)
    serve(build, job)


def serve(build: Callable[[Job], Work], job: Job, rank: int = 0) -> None:
    with _line(job) as line:
        try:
            work = build(job)
            for _ in range(WARM_UP):
                _finite(work.step())
            line.say({"rank": rank, "facts": work.facts})
            _answer(work, line)
        except Exception as error:
            line.say({"rank": rank, "unavailable": reason(error)})
            raise SystemExit(0 if isinstance(error, Unavailable) else 1) from error


def _answer(work: Work, line: Line) -> None:
    building = _peak_bytes()
    _forget_peak()
    slept, worked = time.perf_counter(), time.process_time()
    for request in line.requests():
        idle = time.process_time() - worked, time.perf_counter() - slept
        answer = timed(work, request["steps"])
        idle_share = idle[0] / idle[1] if idle[1] > 0 else 0.0
        memory = {"peak_bytes": _peak_bytes(), "build_peak_bytes": building}
        line.say(answer | memory | {"idle_share": idle_share})
        slept, worked = time.perf_counter(), time.process_time()


def timed(work: Work, steps: int) -> Answer:
    """Wall and processor seconds of each of `steps` steps."""
    walls, cpus, loss = [], [], math.nan
    for _ in range(steps):
        work.barrier()
        began, ran = time.perf_counter(), time.process_time()
        loss = work.step()
        walls.append(time.perf_counter() - began)
        cpus.append(time.process_time() - ran)
    return {"seconds": walls, "cpu_seconds": cpus, "loss": _finite(loss)}


def _finite(loss: float) -> float:
    if not math.isfinite(loss):
        raise ArithmeticError(f"the result of a step is {loss}; a comparison needs a finite one")
    return loss


def reason(error: BaseException) -> str:
    """The first line of an error, with its class where the message is not ours."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    first = lines[0].strip()[:200] if lines else ""
    return first if isinstance(error, Unavailable) else f"{type(error).__name__}: {first}"


@contextlib.contextmanager
def _line(job: Job) -> Iterator[Line]:
    if not job.socket:
        yield Line(sys.stdin, sys.stdout)
        return
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(job.socket)
        with connection.makefile("r") as reader, connection.makefile("w") as writer:
            yield Line(reader, writer)


def _peak_bytes() -> int:
    """The most memory that was resident at once, since the last `_forget_peak`."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _forget_peak() -> None:
    """Counts the peak from here on; where the kernel refuses, the whole life's counts."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
