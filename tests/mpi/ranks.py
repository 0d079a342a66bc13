"""Programs that the tests of the launch run as ranks: `python ranks.py NAME`."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time

from pyhpmp import launch
from pyhpmp.launch import RankContext


class UserMistake(Exception):
    exit_code = 2


def tell(text: str) -> None:
    """A whole line at once, so that lines of several ranks do not mix."""
    os.write(1, f"{text}\n".encode())


def say(context: RankContext, text: str) -> None:
    context.status[: len(text) + 1] = text.encode() + b"\0"


def agree(context: RankContext) -> int:
    assert context.comm is not None
    total = context.comm.allreduce(context.rank + 1)
    tell(f"rank {context.rank} of {context.size}: {total}")
    return 0


def die(context: RankContext) -> int:
    """The last rank is killed in an instruction while the others wait for it."""
    say(context, f"BWD layer3.conv2 shard {context.rank}")
    assert context.comm is not None
    context.comm.Barrier()
    if context.rank == context.size - 1:
        os.kill(os.getpid(), signal.SIGKILL)
    context.comm.Barrier()
    return 0


def segfault(context: RankContext) -> int:
    say(context, "FWD conv1 shard 0")
    assert context.comm is not None
    context.comm.Barrier()
    if context.rank == context.size - 1:
        ctypes.string_at(0)
    context.comm.Barrier()
    return 0


def mistake(context: RankContext) -> int:
    """Only rank 0 fails; the others wait for its broadcast."""
    assert context.comm is not None
    if context.is_root:
        raise UserMistake("batch 7 is not\ndivisible by 2 shards")
    context.comm.bcast(None)
    return 0


def bug(context: RankContext) -> int:
    raise KeyError(f"rank {context.rank}")


def sleep(context: RankContext) -> int:
    tell("sleeping")
    time.sleep(60)
    return 0


def stubborn(context: RankContext) -> int:
    """Heeds no signal that can be ignored."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    return sleep(context)


def pids(context: RankContext) -> int:
    tell(f"rank {context.rank} {os.getpid()}")
    time.sleep(60)
    return 0


def wrong_size(context: RankContext) -> int:
    raise AssertionError("a rank of a job of the wrong size must not run")


class Table(ctypes.Structure):
    """hpmp_comm_table of native/include/hpmp_comm.h."""

    Start = ctypes.CFUNCTYPE(
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_int64,
        ctypes.c_int32,
        ctypes.c_int32,
        ctypes.POINTER(ctypes.c_uint64),
    )
    Test = ctypes.CFUNCTYPE(
        ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_uint64), ctypes.POINTER(ctypes.c_int)
    )
    _fields_ = (
        ("version", ctypes.c_uint32),
        ("table_bytes", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("rank", ctypes.c_int32),
        ("size", ctypes.c_int32),
        ("max_tag", ctypes.c_int32),
        ("gpu_memory", ctypes.c_int32),
        ("max_message_bytes", ctypes.c_int64),
        ("isend", Start),
        ("irecv", Start),
        ("test", Test),
        ("error_text", ctypes.c_void_p),
    )


def ring(context: RankContext) -> int:
    """Every rank sends 5 messages of one tag to the next; a guard element must survive."""
    assert context.transport is not None
    table = Table.from_address(context.transport.address)
    assert (table.version, table.rank, table.size) == (2, context.rank, context.size)
    to, source = (context.rank + 1) % context.size, (context.rank - 1) % context.size
    sent = (ctypes.c_int64 * 5)(*range(10 * context.rank, 10 * context.rank + 5))
    received = (ctypes.c_int64 * 6)(*[-1] * 6)
    requests = (ctypes.c_uint64 * 10)()
    for i in range(5):
        for start, data, peer, at in (
            (table.irecv, received, source, i),
            (table.isend, sent, to, 5 + i),
        ):
            request = ctypes.pointer(ctypes.c_uint64.from_buffer(requests, 8 * at))
            assert start(table.context, ctypes.addressof(data) + 8 * i, 8, peer, 7, request) == 0
    for at in range(10):
        done = ctypes.c_int(0)
        while not done.value:
            request = ctypes.pointer(ctypes.c_uint64.from_buffer(requests, 8 * at))
            assert table.test(table.context, request, ctypes.pointer(done)) == 0
    assert list(received) == [*range(10 * source, 10 * source + 5), -1]
    tell("ok")
    return 0


def size(context: RankContext) -> int:
    tell(f"{context.rank} {context.size} {context.comm is None} {context.transport is None}")
    return 0


if __name__ == "__main__":
    program = globals()[sys.argv[1]]
    if program is wrong_size:
        os.environ["HPMP_EXPECT_SIZE"] = "3"
    sys.exit(launch.guard(program, debug="--debug" in sys.argv))
