"""Being a rank: bring up MPI in the right order, and fail with one line and an exit code."""

from __future__ import annotations

import contextlib
import mmap
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyhpmp.launch.channel import Channel
from pyhpmp.launch.environment import EXPECT_SIZE, is_launched, launched_rank
from pyhpmp.launch.mpiexec import LaunchError
from pyhpmp.launch.processes import die_with_parent
from pyhpmp.launch.status import open_crash_report, open_status
from pyhpmp.launch.transport import Transport

AFTERMATH_SECONDS = 0.3

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm


@dataclass
class RankContext:
    """What a rank knows of its run.

    comm: mpi4py's communicator for Python's own broadcasts; None where there is one rank and no
        launch. transport: the core's table over a duplicate of it, None likewise.
    status: 256 bytes in which the engine keeps its current instruction.
    """

    rank: int = 0
    size: int = 1
    comm: Intracomm | None = None
    transport: Transport | None = None
    status: mmap.mmap = field(default_factory=lambda: open_status(0))

    @property
    def is_root(self) -> bool:
        return self.rank == 0


@contextlib.contextmanager
def rank_context() -> Iterator[RankContext]:
    """This process as a rank of its launch; one rank without MPI where there was no launch.

    Raises MpiMismatchError where mpi4py and the core use different MPI libraries, LaunchError
    where the launcher did not join the ranks into one job.
    """
    if not is_launched():
        yield RankContext()
        return
    die_with_parent()
    open_crash_report(launched_rank())
    from mpi4py import MPI

    world = MPI.COMM_WORLD
    _check_size(world.size)
    core = world.Dup()  # the core's messages must never meet Python's
    context = RankContext(world.rank, world.size, world, Transport(core), open_status(world.rank))
    yield context
    core.Free()


def _check_size(size: int) -> None:
    expected = os.environ.get(EXPECT_SIZE)
    if expected and int(expected) != size:
        raise LaunchError(
            f"{expected} ranks were started but MPI counts {size}: mpiexec and mpi4py's library "
            "belong to different MPIs; set HPMP_MPIEXEC to the mpiexec of mpi4py's MPI"
        )


def guard(
    main: Callable[[RankContext], int], *, program: str = "hpmp-run", debug: bool = False
) -> int:
    """Runs `main` as a rank and returns its exit code; an exception becomes one line.

    An exception's `exit_code` attribute is the code (2: a user's mistake); without one it is ours,
    1. Of several ranks, the first failure ends all; under a supervisor that one prints it.
    """
    channel = Channel()
    try:
        with rank_context() as context:
            channel.ready()
            code = main(context)
    except KeyboardInterrupt:
        return _ended(channel, 128 + signal.SIGINT)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        return _ended(channel, code)
    except BaseException as error:
        return _failed(channel, error, program, debug)
    return _ended(channel, code)


def _message(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if hasattr(error, "exit_code"):
        return text
    return f"internal error: {type(error).__name__}: {text}; --debug shows where"


def _failed(channel: Channel, error: BaseException, program: str, debug: bool) -> int:
    if getattr(error, "may_be_anothers", False):
        time.sleep(AFTERMATH_SECONDS)  # if another rank died, that is the cause: it is seen first
    code = int(getattr(error, "exit_code", 1))
    if debug:
        traceback.print_exception(error)
    if channel.supervised:
        channel.error(_message(error), code)
    else:
        _print_once(f"{program}: {_message(error)}")
    return _ended(channel, code)


def _print_once(line: str) -> None:
    """Of ranks that fail together rank 0 speaks: the others give it time to end the job."""
    if _mpi_rank() > 0:
        time.sleep(1.0)
    print(line, file=sys.stderr, flush=True)


def _mpi_rank() -> int:
    mpi = sys.modules.get("mpi4py.MPI")
    return int(mpi.COMM_WORLD.rank) if mpi and mpi.Is_initialized() else 0


def _ended(channel: Channel, code: int) -> int:
    """Says goodbye; a rank that fails takes the others with it, which would wait for it."""
    sys.stdout.flush()
    sys.stderr.flush()
    channel.bye(code)
    mpi = sys.modules.get("mpi4py.MPI")
    if code != 0 and mpi and mpi.Is_initialized() and mpi.COMM_WORLD.size > 1:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # MPI_Abort would add lines of its own
        mpi.COMM_WORLD.Abort(code)
    return code
