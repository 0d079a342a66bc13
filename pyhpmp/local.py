"""K ranks as K threads of this process: for tests, and for embedding without MPI."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from pyhpmp import _core
from pyhpmp.world import Array, World, using

T = TypeVar("T")


class _Board:
    """Where the threads of one world meet and leave values for each other."""

    def __init__(self, ranks: int) -> None:
        self.core = _core.World(ranks)
        self.barrier = threading.Barrier(ranks)
        self.slots: list[Any] = [None] * ranks


class LocalWorld(World):
    """One thread's view of a board."""

    def __init__(self, board: _Board, rank: int) -> None:
        self.rank, self.size = rank, len(board.slots)
        self._board = board

    def gather(self, value: T) -> list[T]:
        self._board.slots[self.rank] = value
        self._board.barrier.wait()
        values = list(self._board.slots)
        self._board.barrier.wait()  # nobody writes the next value before all have read this one
        return values

    def broadcast(self, value: T | None) -> T:
        return self.gather(value)[0]  # type: ignore[return-value]

    def broadcast_array(self, array: Array) -> None:
        source = self.gather(array)[0]
        if source is not array:
            array[...] = source
        self._board.barrier.wait()  # rank 0 may change its array only now

    def sum(self, array: Array) -> None:
        total = sum(self.gather(array.copy()))
        array[...] = total

    def communicator(self) -> _core.Communicator:
        return self._board.core.communicator(self.rank)


class _Thread(threading.Thread):
    def __init__(self, board: _Board, rank: int, work: Callable[[int], Any]) -> None:
        super().__init__(name=f"hpmp-rank-{rank}", daemon=True)
        self.world, self.work, self.board = LocalWorld(board, rank), work, board
        self.result: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            with using(self.world):
                self.result = self.work(self.world.rank)
        except BaseException as error:  # re-raised by `run` in the caller's thread
            self.error = error
            self.board.core.poison(self.world.rank, f"rank {self.world.rank} failed: {error}")
            self.board.barrier.abort()


def run(ranks: int, work: Callable[[int], T]) -> list[T]:
    """Calls `work(rank)` in `ranks` threads, each of which is a rank of one world.

    Args:
        ranks: threads to run; inside `work`, `pyhpmp.world.current()` is that thread's world.
        work: what every rank does; collective calls must be made by all.

    Returns:
        The results in rank order.

    Raises:
        The first rank's exception that is not the consequence of another's.
    """
    board = _Board(ranks)
    threads = [_Thread(board, rank, work) for rank in range(ranks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    errors = [thread.error for thread in threads if thread.error is not None]
    if errors:
        raise min(errors, key=_is_consequence)
    return [thread.result for thread in threads]


def _is_consequence(error: BaseException) -> bool:
    from pyhpmp.errors import CommError

    return isinstance(error, (threading.BrokenBarrierError, CommError))
