"""The processes of one run, held by pidfd: a recycled pid is never signalled."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


def die_with_parent() -> None:
    """Asks the kernel to kill this process when the one that started it ends."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@dataclass
class Processes:
    """The ranks, which run in sessions of their own and so outlive a signal to mpiexec's."""

    pidfds: list[int] = field(default_factory=list)
    shared_memory: set[str] = field(default_factory=set)  # files that a killed MPI leaves behind

    def add(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.pidfds.append(os.pidfd_open(pid))

    def alive(self) -> bool:
        """Whether any rank still runs; forgets those that have ended."""
        poll = select.poll()
        for fd in self.pidfds:
            poll.register(fd, select.POLLIN)
        for fd, _ in poll.poll(0):
            self.pidfds.remove(fd)
            os.close(fd)
        return bool(self.pidfds)

    def kill(self, mpiexec: subprocess.Popen[bytes]) -> None:
        """Ends mpiexec's session and every rank; the launcher's helpers end with mpiexec."""
        with contextlib.suppress(ProcessLookupError):
            if mpiexec.poll() is None:
                os.killpg(mpiexec.pid, signal.SIGKILL)
        for fd in self.pidfds:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(fd, signal.SIGKILL)

    def remove_shared_memory(self) -> None:
        for path in self.shared_memory:
            with contextlib.suppress(FileNotFoundError):
                Path(path).unlink()
