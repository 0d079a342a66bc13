"""The ranks of a run as Python sees them: who am I, and how do arrays and texts reach the others.

These calls prepare a step and look at its results; nothing here is on the path of a step.
"""

from __future__ import annotations

import contextlib
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from pyhpmp import _core
from pyhpmp.launch import RankContext, is_launched, rank_context

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

T = TypeVar("T")
Array = npt.NDArray[Any]


class World(ABC):
    """A fixed set of ranks; rank 0 reads files and plans, the others receive."""

    rank: int
    size: int
    status: object = None  # 256 bytes in which the engine keeps its current instruction

    @property
    def is_root(self) -> bool:
        return self.rank == 0

    @abstractmethod
    def broadcast(self, value: T | None) -> T:
        """Rank 0's value on every rank."""

    @abstractmethod
    def broadcast_array(self, array: Array) -> None:
        """Fills `array` with rank 0's; same shape and dtype on every rank."""

    @abstractmethod
    def sum(self, array: Array) -> None:
        """Replaces `array` by its sum over ranks, on every rank."""

    @abstractmethod
    def gather(self, value: T) -> list[T]:
        """Every rank's value, on every rank."""

    @abstractmethod
    def communicator(self) -> _core.Communicator:
        """The transport that an engine of this rank uses."""

    def hosts(self) -> list[str]:
        """Of every rank, on every rank."""
        return self.gather(socket.gethostname())

    def on_root(self, work: Callable[[], T]) -> T:
        """Runs `work` on rank 0; its result, or its exception, is that of every rank."""
        outcome: tuple[T | None, Exception | None] | None = None
        if self.is_root:
            try:
                outcome = (work(), None)
            except Exception as raised:  # travels to every rank, so that none waits for the others
                outcome = (None, raised)
        value, error = self.broadcast(outcome)
        if error is not None:
            raise error
        return value  # type: ignore[return-value]


class SoloWorld(World):
    """One rank, no transport."""

    def __init__(self, status: object = None) -> None:
        self.rank, self.size, self.status = 0, 1, status
        self._world = _core.World(1)

    def broadcast(self, value: T | None) -> T:
        return value  # type: ignore[return-value]

    def broadcast_array(self, array: Array) -> None:
        pass

    def sum(self, array: Array) -> None:
        pass

    def gather(self, value: T) -> list[T]:
        return [value]

    def communicator(self) -> _core.Communicator:
        return self._world.communicator(0)


class MpiWorld(World):
    """The ranks of an MPI launch."""

    def __init__(self, context: RankContext) -> None:
        assert context.comm is not None
        self.rank, self.size, self.status = context.rank, context.size, context.status
        self._comm: Intracomm = context.comm
        self._transport = context.transport

    def broadcast(self, value: T | None) -> T:
        result: T = self._comm.bcast(value, root=0)
        return result

    def broadcast_array(self, array: Array) -> None:
        self._comm.Bcast(array, root=0)

    def sum(self, array: Array) -> None:
        from mpi4py import MPI

        self._comm.Allreduce(MPI.IN_PLACE, array, op=MPI.SUM)

    def gather(self, value: T) -> list[T]:
        return list(self._comm.allgather(value))

    def communicator(self) -> _core.Communicator:
        assert self._transport is not None
        return _core.Communicator.from_table(self._transport.address, self._transport)


_current: ContextVar[World | None] = ContextVar("hpmp_world", default=None)
_entered = contextlib.ExitStack()
_process_world: World | None = None


def world_of(context: RankContext) -> World:
    return MpiWorld(context) if context.comm is not None else SoloWorld(context.status)


def current() -> World:
    """The world that this thread belongs to: set by `using`, else that of the process's launch."""
    global _process_world
    world = _current.get()
    if world is not None:
        return world
    if _process_world is None:
        context = _entered.enter_context(rank_context()) if is_launched() else RankContext()
        _process_world = world_of(context)
    return _process_world


@contextlib.contextmanager
def using(world: World) -> Iterator[World]:
    """Makes `world` the current one of this thread."""
    token = _current.set(world)
    try:
        yield world
    finally:
        _current.reset(token)


def as_float32(array: Array) -> npt.NDArray[np.float32]:
    """C-order float32; a copy only where needed."""
    return np.ascontiguousarray(array, dtype=np.float32)
