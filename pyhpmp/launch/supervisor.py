"""Starts ranks under mpiexec, watches them, and tells the one cause when they fail."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyhpmp.launch import channel, verdict
from pyhpmp.launch.environment import EXPECT_SIZE, STATUS_DIR
from pyhpmp.launch.mpiexec import (
    LaunchError,
    family_environment,
    launch_command,
    mpi_of_mpi4py,
    package_environment,
)
from pyhpmp.launch.processes import Processes, die_with_parent

_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_TAIL_BYTES = 65536


@dataclass
class _Watch:
    """What is known of the ranks while they run."""

    ranks: int
    program: str
    debug: bool
    folder: Path
    processes: Processes = field(default_factory=Processes)
    members: list[verdict.Member] = field(default_factory=list)
    first: verdict.Member | None = None  # the first that failed
    output: bytes = b""  # mpiexec's own words
    stopping_since: float | None = None
    signal: int = 0

    def stop(self) -> None:
        if self.stopping_since is None:
            self.stopping_since = time.monotonic()


def run(
    argv: Sequence[str],
    ranks: int,
    *,
    debug: bool = False,
    program: str = "hpmp-run",
    module: str = "pyhpmp.commands.run",
    grace_seconds: float = 3.0,
) -> int:
    """Runs `python -m module *argv` on `ranks` ranks and returns its exit code.

    The ranks write to our stdout and stderr. A failure is told in one line on stderr. Signals that
    end a program are passed on; what is still there after `grace_seconds` is killed.
    """
    folder = Path(tempfile.mkdtemp(prefix="hpmp-", dir=_short_folder()))
    watch = _Watch(ranks, program, debug, folder)
    try:
        mpi = mpi_of_mpi4py()
        command = launch_command(mpi, argv, ranks, module)
        environ = _environment(folder, ranks) | family_environment(mpi.family)
        with channel.listen(folder, ranks) as server, _forwarding(watch):
            mpiexec = subprocess.Popen(
                command,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
            _supervise(watch, mpiexec, server, grace_seconds)
        return _conclude(watch, mpiexec.returncode)
    except LaunchError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return error.exit_code
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _short_folder() -> str | None:
    """A socket's path has at most 107 bytes."""
    return "/tmp" if len(tempfile.gettempdir()) > 80 else None


def _environment(folder: Path, ranks: int) -> dict[str, str]:
    threads = max(1, len(os.sched_getaffinity(0)) // ranks)
    environ = {"OMP_NUM_THREADS": str(threads)} | dict(os.environ)
    environ |= package_environment()
    return environ | {STATUS_DIR: str(folder), EXPECT_SIZE: str(ranks)}


@contextlib.contextmanager
def _forwarding(watch: _Watch) -> Iterator[None]:
    def note(number: int, _: Any) -> None:
        watch.signal = watch.signal or number
        watch.stop()

    previous = {number: signal.signal(number, note) for number in _FORWARDED}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _supervise(
    watch: _Watch, mpiexec: subprocess.Popen[bytes], server: socket.socket, grace: float
) -> None:
    """Follows events until mpiexec and every rank have ended, by force where need be."""
    assert mpiexec.stdout is not None
    words = mpiexec.stdout.fileno()
    with selectors.DefaultSelector() as selector, mpiexec.stdout:
        selector.register(server, selectors.EVENT_READ, lambda: _welcome(watch, selector, server))
        selector.register(words, selectors.EVENT_READ, lambda: _overhear(watch, selector, words))
        passed_on = False
        while mpiexec.poll() is None or watch.processes.alive():
            _dispatch(selector, 0.1)
            if watch.signal and not passed_on:
                passed_on = True
                mpiexec.send_signal(watch.signal)
            if mpiexec.poll() is not None:
                watch.stop()
            _end_late_ones(watch, mpiexec, grace)
        while _dispatch(selector, 0):  # what was still under way when the last process ended
            pass
    watch.processes.remove_shared_memory()


def _dispatch(selector: selectors.BaseSelector, seconds: float) -> bool:
    """Calls back for everything that has happened, in order; False where nothing has."""
    events = selector.select(seconds)
    for key, _ in events:
        key.data()
    return bool(events)


def _end_late_ones(watch: _Watch, mpiexec: subprocess.Popen[bytes], grace: float) -> None:
    """After a failure or a signal: SIGTERM to the launcher at half the grace, then SIGKILL."""
    if watch.stopping_since is None:
        return
    late = time.monotonic() - watch.stopping_since
    if late > grace:
        watch.processes.kill(mpiexec)
    elif late > grace / 2 and mpiexec.poll() is None:
        mpiexec.terminate()


def _welcome(watch: _Watch, selector: selectors.BaseSelector, server: socket.socket) -> None:
    """A rank connects."""
    connection, lifeline = channel.accept(server)
    member = verdict.Member()
    watch.members.append(member)

    def listen() -> None:
        if not _hear(watch, member, connection):
            selector.unregister(connection)

    def bury() -> None:
        _hear(watch, member, connection)
        selector.unregister(lifeline)
        os.close(lifeline)
        if not member.said_goodbye:
            _blame(watch, member)

    selector.register(connection, selectors.EVENT_READ, listen)
    selector.register(lifeline, selectors.EVENT_READ, bury)


def _overhear(watch: _Watch, selector: selectors.BaseSelector, words: int) -> None:
    """Keeps the end of what the launcher itself says."""
    data = os.read(words, 65536)
    watch.output = (watch.output + data)[-_TAIL_BYTES:]
    if not data:
        selector.unregister(words)


def _hear(watch: _Watch, member: verdict.Member, connection: socket.socket) -> bool:
    """Takes in what a rank has said; False where it will say no more."""
    try:
        data = connection.recv(65536)
    except (BlockingIOError, ConnectionResetError):
        return False
    *lines, member.unread = (member.unread + data).split(b"\n")
    for line in lines:
        _understand(watch, member, json.loads(line))
    return bool(data)


def _understand(watch: _Watch, member: verdict.Member, event: dict[str, Any]) -> None:
    kind = event["event"]
    if kind == "hello":
        member.rank, member.host, member.pid = event["rank"], event["host"], event["pid"]
        watch.processes.add(member.pid)
    elif kind == "ready":
        watch.processes.shared_memory.update(event["shm"])
    else:
        member.error = event.get("message", member.error)
        member.said_goodbye = member.said_goodbye or kind == "bye"
        member.exit_code = event["exit_code"]
        if member.exit_code != 0:
            _blame(watch, member)


def _blame(watch: _Watch, member: verdict.Member) -> None:
    """The first failure is the cause; the others follow from it."""
    if watch.first is None and member.rank is not None:
        watch.first = member
        watch.stop()


def _conclude(watch: _Watch, returncode: int) -> int:
    output = watch.output.decode("utf-8", "replace")
    if watch.debug and output:
        print(output, file=sys.stderr, end="")
    line, code = verdict.judge(watch.first, watch.signal, returncode, output, watch.folder)
    if line:
        print(f"{watch.program}: {line}", file=sys.stderr)
    if watch.debug and code != 0:
        for line in verdict.instructions(watch.members, watch.folder):
            print(f"{watch.program}: {line}", file=sys.stderr)
    return code
