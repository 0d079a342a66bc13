"""The driver's side: starts a worker's process or ranks, and asks them for steps."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from cluster.emulated import Cluster
from paths import python_path

from peers.job import Job, Unavailable

START_SECONDS = 120.0
BUILD_SECONDS = 1200.0  # compiling a large network takes minutes
STOP_SECONDS = 20.0
POLL_SECONDS = 0.2
# glibc hands freed activations back to the kernel and faults them in again in every step, which
# costs PyTorch up to a third of it; its guides advise an allocator that keeps them, as these do.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**32), "MALLOC_TRIM_THRESHOLD_": str(2**33)}
Answer = dict[str, Any]


class Rank:
    """One connected process of a worker."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(BUILD_SECONDS)
        self._connection = connection
        self._reader: TextIO = connection.makefile("r")

    def hear(self) -> Answer:
        text = self._reader.readline()
        if not text:
            raise Unavailable("its process ended")
        answer: Answer = json.loads(text)
        if "unavailable" in answer:
            raise Unavailable(answer["unavailable"])
        return answer

    def say(self, request: Answer) -> None:
        self._connection.sendall((json.dumps(request) + "\n").encode())

    def close(self) -> None:
        self._reader.close()
        self._connection.close()


class Worker:
    """A peer, or ours, built and waiting; a context manager that ends its processes.

    Args:
        module: of `peers`, for instance `torch_train`.
        job: what it builds.
        processes: 1 where the worker starts its ranks itself, else one per rank.
        cluster: whose hosts the ranks are on; None for this machine.

    Raises:
        Unavailable: with the worker's reason, or the last line that it wrote.
    """

    def __init__(
        self, module: str, job: Job, processes: int = 1, cluster: Cluster | None = None
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="peers-", dir="/tmp")
        path = str(Path(self._folder.name) / "socket")
        self.job = dataclasses.replace(job, socket=path)
        self._log = (Path(self._folder.name) / "log").open("w+")
        self._ranks: list[Rank] = []
        self._processes: list[subprocess.Popen[bytes]] = []
        self._module, self._count, self._cluster = module, processes, cluster
        try:
            self.facts = self._start(path)
        except BaseException:
            for process in self._processes:
                process.terminate()  # it may still be building
            self._stop()
            raise

    def _start(self, path: str) -> Answer:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            server.listen(self.job.ranks)
            server.settimeout(POLL_SECONDS)
            self._processes = [self._process(rank) for rank in range(self._count)]
            deadline = time.monotonic() + START_SECONDS
            for _ in range(self.job.ranks):
                self._ranks.append(Rank(self._accepted(server, deadline)))
        hellos = [self._hear(rank) for rank in self._ranks]
        facts: Answer = next(hello["facts"] for hello in hellos if hello["rank"] == 0)
        return facts

    def _process(self, rank: int) -> subprocess.Popen[bytes]:
        environ = KEEP_MEMORY | (self._cluster.environment() if self._cluster else dict(os.environ))
        environ["PYTHONPATH"] = python_path()
        command = [sys.executable, "-P", "-m", f"peers.{self._module}", self.job.text()]
        if self._count > 1:
            environ |= {"RANK": str(rank), "WORLD_SIZE": str(self._count)}
            command = self._cluster.command(rank, command) if self._cluster else command
        quiet, log = subprocess.DEVNULL, self._log
        return subprocess.Popen(command, env=environ, stdin=quiet, stdout=log, stderr=log)

    def _accepted(self, server: socket.socket, deadline: float) -> socket.socket:
        while time.monotonic() < deadline:
            with contextlib.suppress(TimeoutError):
                return server.accept()[0]
            if any(process.poll() is not None for process in self._processes):
                raise Unavailable(self._last_line())
        raise Unavailable(f"it did not start within {START_SECONDS:.0f} s")

    def _hear(self, rank: Rank) -> Answer:
        try:
            return rank.hear()
        except TimeoutError as error:
            raise Unavailable(f"it did not answer within {BUILD_SECONDS:.0f} s") from error
        except (ConnectionError, Unavailable) as error:
            told = isinstance(error, Unavailable) and "process ended" not in str(error)
            raise Unavailable(str(error) if told else self._last_line()) from error

    def _last_line(self) -> str:
        self._log.seek(0)
        lines = [line.strip() for line in self._log if line.strip()]
        return lines[-1][:200] if lines else "it ended without a word"

    def run(self, steps: int) -> list[Answer]:
        """Runs `steps` steps on every rank; one answer per rank."""
        return self.ask({"steps": steps})

    def ask(self, request: Answer) -> list[Answer]:
        """Every rank's answer. Raises Unavailable, naming the worker, where one has ended."""
        try:
            for rank in self._ranks:
                rank.say(request)
            return [self._hear(rank) for rank in self._ranks]
        except (ConnectionError, Unavailable) as error:
            raise Unavailable(f"{self._module} stopped: {error}") from error

    def _stop(self) -> None:
        for rank in self._ranks:
            rank.close()
        for process in self._processes:
            _ended(process)
        self._log.close()
        self._folder.cleanup()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()


def _ended(process: subprocess.Popen[bytes]) -> None:
    """Waits for a process whose conversation is over; a deaf one is ended."""
    for end in (process.terminate, process.kill):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
            return
        end()
    process.wait()


def steps_of_a_turn(seconds: float, step_seconds: float) -> int:
    return max(1, round(seconds / step_seconds))


@dataclasses.dataclass
class Samples:
    """What one side of a comparison gave, over all its turns.

    seconds: of every step, of the slowest rank. cpu_seconds: of every step, of all ranks.
    peak_bytes: of each rank while it ran steps; build_peak_bytes: before that.
    """

    seconds: list[float] = dataclasses.field(default_factory=list)
    cpu_seconds: list[float] = dataclasses.field(default_factory=list)
    peak_bytes: list[int] = dataclasses.field(default_factory=list)
    build_peak_bytes: list[int] = dataclasses.field(default_factory=list)
    idle_share: float = 0.0
    turns: int = 0

    def add(self, answers: Sequence[Answer]) -> None:
        columns = zip(*(answer["seconds"] for answer in answers), strict=True)
        self.seconds += [max(column) for column in columns]
        columns = zip(*(answer["cpu_seconds"] for answer in answers), strict=True)
        self.cpu_seconds += [sum(column) for column in columns]
        self.peak_bytes = [answer["peak_bytes"] for answer in answers]
        self.build_peak_bytes = [answer["build_peak_bytes"] for answer in answers]
        if self.turns:
            self.idle_share = max(self.idle_share, *(answer["idle_share"] for answer in answers))
        self.turns += 1


def alternate(workers: Sequence[Worker], seconds: float, turns: int) -> list[Samples]:
    """Each in turn, `turns` times, about `seconds` in all; the samples of each."""
    each = seconds / (len(workers) * turns)
    steps = [steps_of_a_turn(each, max(worker.run(1)[0]["seconds"])) for worker in workers]
    samples = [Samples() for _ in workers]
    for _ in range(turns):
        for worker, count, found in zip(workers, steps, samples, strict=True):
            found.add(worker.run(count))
    return samples
