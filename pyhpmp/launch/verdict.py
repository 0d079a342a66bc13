"""From what was seen of a run to one line and one exit code."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyhpmp.launch.status import read_crash, read_status

# What launchers say of a rank that died, blanks joined: MPICH and Intel, then Open MPI 4 and 5.
_HYDRA = re.compile(r"= PID (?P<pid>\d+) RUNNING AT \S+ = EXIT CODE: (?P<code>\d+)")
_HYDRA_SIGNAL = re.compile(r"EXIT STRING: [^(]*\(signal (?P<signal>\d+)\)")
_OPENMPI = re.compile(
    r"noticed that process rank \d+ with PID (?P<pid>\d+) on node \S+ exited on "
    r"signal (?P<signal>\d+)"
)
# The first words of Python's fault handler.
_CRASHES = {
    "Segmentation fault": signal.SIGSEGV,
    "Floating point exception": signal.SIGFPE,
    "Floating-point exception": signal.SIGFPE,
    "Aborted": signal.SIGABRT,
    "Bus error": signal.SIGBUS,
    "Illegal instruction": signal.SIGILL,
}


@dataclass
class Member:
    """One rank as the supervisor knows it."""

    rank: int | None = None
    host: str = ""
    pid: int = 0
    error: str = ""
    exit_code: int = 0
    said_goodbye: bool = False
    unread: bytes = b""


def judge(
    first: Member | None,
    interrupted_by: int,
    returncode: int,
    output: str,
    folder: Path,
) -> tuple[str, int]:
    """The line to print (empty: none) and the exit code.

    Args:
        first: the rank whose failure was seen first, if any. Connections close in the order of
            the deaths; launchers name any of the ranks that they killed afterwards.
        interrupted_by: the signal that the user sent us, or 0.
        returncode: mpiexec's; output: what it printed.
        folder: where the ranks' status files are.
    """
    if interrupted_by:
        return f"ended by {signal.Signals(interrupted_by).name}", 128 + interrupted_by
    if first is None:
        if returncode == 0:
            return "", 0
        words = " ".join(output.split())[-500:] or "nothing"
        return f"mpiexec ended with code {returncode} and said: {words}", 1
    if first.error or first.said_goodbye:
        return first.error, first.exit_code or 1
    return _obituary(first, _signal_of(first, output, folder), folder), 1


def _signal_of(member: Member, output: str, folder: Path) -> int:
    """From what Python left in the crash file, else from the launcher; 0 where neither says."""
    crash = read_crash(folder, member.rank or 0)
    crashes = (int(number) for text, number in _CRASHES.items() if text in crash)
    return next(crashes, killed_process(output)[1])


def killed_process(output: str) -> tuple[int, int]:
    """(pid, signal) of the rank that the launcher blames; zeros where it does not say."""
    text = " ".join(output.split())
    if found := _OPENMPI.search(text):
        return int(found["pid"]), int(found["signal"])
    if not (found := _HYDRA.search(text)):
        return 0, 0
    number = _HYDRA_SIGNAL.search(text)
    return int(found["pid"]), int(number["signal"]) if number else 0


def _obituary(member: Member, number: int, folder: Path) -> str:
    assert member.rank is not None
    fate = f"was killed by signal {number}" if number else "ended without a word"
    doing = read_status(folder, member.rank)
    where = f"in instruction '{doing}'" if doing else "before its first instruction"
    text = f"rank {member.rank} (host {member.host}, pid {member.pid}) {fate} {where}"
    if number == signal.SIGKILL:
        text += "; if nobody did that, memory ran out: use more ranks or a smaller batch"
    return text


def instructions(ranks: Sequence[Member], folder: Path) -> list[str]:
    """Where every rank was, and what a crash left, for --debug."""
    numbers = sorted(member.rank for member in ranks if member.rank is not None)
    places = [f"rank {rank} was in '{read_status(folder, rank)}'" for rank in numbers]
    return places + [crash for rank in numbers if (crash := read_crash(folder, rank))]
