"""What outlives a rank: its current instruction in a small mapped file, and its crash report."""

from __future__ import annotations

import faulthandler
import mmap
import os
from pathlib import Path

from pyhpmp.launch.environment import STATUS_DIR

STATUS_BYTES = 256


def open_status(rank: int) -> mmap.mmap:
    """The 256 bytes in which the engine writes the instruction it is in, NUL-padded.

    Under a supervisor they are a file of its folder, otherwise plain memory. The caller keeps the
    map open for as long as the engine writes to its address.
    """
    folder = os.environ.get(STATUS_DIR)
    if not folder:
        return mmap.mmap(-1, STATUS_BYTES)
    with open(Path(folder) / f"rank{rank}", "w+b") as file:
        file.truncate(STATUS_BYTES)
        return mmap.mmap(file.fileno(), STATUS_BYTES)


def read_status(folder: str | Path, rank: int) -> str:
    """What rank `rank` was doing last; empty where it never said."""
    try:
        data = (Path(folder) / f"rank{rank}").read_bytes()
    except FileNotFoundError:
        return ""
    return data.split(b"\0", 1)[0].decode("utf-8", "replace")


def open_crash_report(rank: int) -> None:
    """Has Python write its stacks to a file of the supervisor's folder when this rank crashes."""
    folder = os.environ.get(STATUS_DIR)
    if folder:
        descriptor = os.open(Path(folder) / f"crash{rank}", os.O_WRONLY | os.O_CREAT, 0o600)
        faulthandler.enable(descriptor)


def read_crash(folder: str | Path, rank: int) -> str:
    """The stacks of rank `rank`'s crash; empty where it did not crash."""
    try:
        return (Path(folder) / f"crash{rank}").read_text(errors="replace")
    except FileNotFoundError:
        return ""
