"""The socket between a rank and its supervisor.

The supervisor hands its own stdout and stderr to every rank, so that a terminal stays a terminal
and the launcher's own messages stay apart. The rank says who it is and how it ends. It also holds
one end of a pipe, the lifeline, that carries nothing: the kernel closes it when the rank dies, and
epoll reports closed lifelines in the order of the deaths. Linux closes a dead process's descriptors
from the highest down, so the lifeline is the highest: once mpiexec sees its own socket closed, it
kills the other ranks, whose lifelines could then close first.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

from pyhpmp.launch.environment import STATUS_DIR, launched_rank

SOCKET = "socket"
_HIGH = 512  # above the descriptors that a rank opens later; below the usual limit of 1024


def listen(folder: Path, backlog: int) -> socket.socket:
    """The supervisor's end."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(folder / SOCKET))
    server.listen(backlog)
    return server


def accept(server: socket.socket) -> tuple[socket.socket, int]:
    """Takes a rank's connection; gives it our stdout and stderr and returns its lifeline too."""
    connection, _ = server.accept()
    connection.setblocking(False)
    lifeline, theirs = os.pipe()
    socket.send_fds(connection, [b"\n"], [1, 2, theirs])
    os.close(theirs)
    return connection, lifeline


class Channel:
    """The rank's end; without a supervisor nothing is sent."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        folder = os.environ.get(STATUS_DIR)
        if folder:
            self._socket = socket.socket(socket.AF_UNIX)
            try:
                self._socket.connect(str(Path(folder) / SOCKET))
            except OSError as error:
                sys.exit(
                    f"host {socket.gethostname()} cannot reach {folder} of hpmp-run ({error}), "
                    "which starts ranks on its own machine only; for several machines start them "
                    "yourself: mpiexec -n K hpmp-run ..."
                )
            self._take_output()
            self._send({"event": "hello", "rank": launched_rank(), "host": socket.gethostname()})

    @property
    def supervised(self) -> bool:
        return self._socket is not None

    def _take_output(self) -> None:
        assert self._socket is not None
        _, (stdout, stderr, lifeline), _, _ = socket.recv_fds(self._socket, 1, 3)
        for fd, ours in ((stdout, 1), (stderr, 2)):
            os.dup2(fd, ours)
            os.close(fd)
        _keep_highest(lifeline)

    def _send(self, message: dict[str, Any]) -> None:
        if self._socket is None:
            return
        message["pid"] = os.getpid()
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            os._exit(1)  # the supervisor is gone, and with it whoever could read an error

    def ready(self) -> None:
        """MPI is up; tells the shared-memory files that would stay behind if we were killed."""
        maps = Path("/proc/self/maps").read_text().splitlines()
        paths = {line.split(maxsplit=5)[-1] for line in maps if "/dev/shm/mpich_shm_" in line}
        self._send({"event": "ready", "shm": sorted(p for p in paths if "deleted" not in p)})

    def error(self, message: str, exit_code: int) -> None:
        self._send({"event": "error", "message": message, "exit_code": exit_code})

    def bye(self, exit_code: int) -> None:
        self._send({"event": "bye", "exit_code": exit_code})


def _keep_highest(fd: int) -> None:
    """Keeps `fd` open for as long as this process lives, above all that are open now."""
    others = max(int(name) for name in os.listdir("/proc/self/fd"))
    try:
        fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, max(others + 1, _HIGH))
    except OSError:  # the limit on descriptors is lower
        os.set_inheritable(fd, False)
    else:
        os.close(fd)
