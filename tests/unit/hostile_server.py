"""Runs command lines of `hpmp-plan` in forked children with limits, and measures them.

A fork costs a hundredth of a start of Python, and starts with everything imported, so that what a
child needs is the file's doing. Reads {"words": [...]} lines, answers one line of JSON each.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
import tempfile
import traceback

import pyhpmp.commands.plan
import pyhpmp.onnx_backend

CPU_SECONDS = 5
WALL_SECONDS = 60
ADDRESS_BYTES = 2 * 2**30


def status_bytes(field: str) -> int:
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith(field + ":"))
    return int(line.split()[1]) * 1024


def child(words: list[str], out: int, err: int) -> None:
    """Never returns."""
    code = 70
    try:
        os.dup2(out, 1)
        os.dup2(err, 2)
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
        limit = status_bytes("VmSize") + ADDRESS_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        code = pyhpmp.commands.plan.main(words)
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def run(words: list[str]) -> dict[str, object]:
    before = status_bytes("VmRSS")
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if pid == 0:
            child(words, out.fileno(), err.fileno())
        handle = os.pidfd_open(pid)
        ended = bool(select.select([handle], [], [], WALL_SECONDS)[0])
        os.close(handle)
        if not ended:
            os.kill(pid, signal.SIGKILL)
        _, status, usage = os.wait4(pid, 0)
        out.seek(0)
        err.seek(0)
        return {
            "code": os.waitstatus_to_exitcode(status),
            "ended": ended,
            "seconds": usage.ru_utime + usage.ru_stime,
            "rise_bytes": usage.ru_maxrss * 1024 - before,
            "out": out.read().decode("utf-8", "replace"),
            "err": err.read().decode("utf-8", "replace"),
        }


def main() -> None:
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line)["words"])), flush=True)


if __name__ == "__main__":
    main()
