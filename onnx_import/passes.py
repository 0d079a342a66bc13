"""ONNX's native passes in a process of their own: malformed models crash them, or never end.

The process is started at the first need and kept; it ends with this one.
"""

from __future__ import annotations

import atexit
import os
import select
import subprocess
import sys
import threading
import time
from pathlib import Path

import onnx

WORKER = Path(__file__).with_name("passes_worker.py")
SECONDS = 60.0


class PassError(Exception):
    """The pass refuses the model, crashes or takes too long; the text says which."""


class _Worker:
    def __init__(self) -> None:
        # -P keeps this folder off the module path: its files must not shadow libraries.
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.owner = os.getpid()

    def ask(self, name: str, argument: int, data: bytes, seconds: float) -> tuple[str, bytes]:
        """Errors: `PassError`, after which the worker is gone."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{name} {argument} {len(data)}\n".encode() + data)
            self._process.stdin.flush()
            end = time.monotonic() + seconds
            verdict, length = self._line(end).split()
            return verdict, self._read(int(length), end)
        except (OSError, ValueError) as error:
            raise PassError("it crashes ONNX's own library") from error

    def _line(self, end: float) -> str:
        line = b""
        while not line.endswith(b"\n"):
            line += self._read(1, end)
        return line.decode()

    def _read(self, length: int, end: float) -> bytes:
        assert self._process.stdout is not None
        descriptor, parts = self._process.stdout.fileno(), []
        while length > 0:
            if not select.select([descriptor], [], [], max(end - time.monotonic(), 0))[0]:
                raise PassError("ONNX's own library takes too long for it")
            part = os.read(descriptor, length)
            if not part:
                raise OSError("the worker is gone")
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def close(self) -> None:
        """Ends the process, unless this one is only a fork of its owner."""
        if self.owner == os.getpid():
            self._process.kill()
            self._process.communicate()


_lock = threading.Lock()
_worker: _Worker | None = None


def run_pass(
    name: str, model: onnx.ModelProto, argument: int = 0, *, seconds: float = SECONDS
) -> onnx.ModelProto:
    """`inline`, `infer`, or `convert` to an opset.

    Args:
        model: without large weights; it is copied to the other process and back.
        argument: of the pass; the opset.

    Errors: `PassError`.
    """
    global _worker
    with _lock:
        if _worker is None or _worker.owner != os.getpid():
            _worker = _Worker()
        try:
            verdict, data = _worker.ask(name, argument, model.SerializeToString(), seconds)
        except BaseException:
            _close()
            raise
    if verdict != "ok":
        raise PassError(data.decode("utf-8", "replace"))
    result = onnx.ModelProto()
    result.ParseFromString(data)
    return result


def _close() -> None:
    global _worker
    if _worker is not None:
        _worker.close()
    _worker = None


atexit.register(_close)
