"""Batches made by threads while the steps before them run."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from pyhpmp.data.augment import Look, plain
from pyhpmp.data.dataset import Dataset, Floats, Indices, Labels
from pyhpmp.data.pages import untouched
from pyhpmp.data.part import Part
from pyhpmp.records import Reads

#: Batches under way beside the one that is in use: memory holds one more than these.
AHEAD = 2
TASKS_PER_THREAD = 4  # of a batch, at least: enough to keep all threads busy
TASK_BYTES = 2**20  # of images that a thread makes at once, where that is more than one


@dataclass
class _Batch:
    """Room for one batch, used again and again, and what still has to be put there."""

    images: Floats
    labels: Labels
    tasks: list[Future[None]]

    def cancel(self) -> None:
        for task in self.tasks:
            task.cancel()
        wait(self.tasks)


class Feed:
    """Makes the batches of one rank, in order and a few ahead; a context that ends its threads.

    Rows of samples that the rank does not read are never written: they take no memory.

    Args:
        data: what is read. batch: samples of a global batch.
        reads: which rows of a batch the rank reads; by default all.
        threads: that read, besides the one that asks.
    """

    def __init__(
        self, data: Dataset, batch: int, reads: Reads | None = None, *, threads: int = 1
    ) -> None:
        everything = np.ones(batch, bool)
        self.data, self.batch = data, batch
        self.reads = reads or Reads(everything, everything)
        self._threads = max(threads, 1)
        self._pool = ThreadPoolExecutor(self._threads, "hpmp-data")
        self._samples_at_once = TASK_BYTES // (4 * int(np.prod(data.transform.shape)))
        self._rooms = deque(self._room() for _ in range(AHEAD + 1))

    def __enter__(self) -> Feed:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def batches(
        self, part: Part, choices: Iterable[Indices], look: Look = plain
    ) -> Generator[tuple[Floats, Labels], None, None]:
        """Images (batch, C, H, W) float32 and labels (batch), or (batch, H, W), int64.

        They are valid until the next ones are asked for. One of these at a time.

        Args:
            choices: the samples of each batch; of fewer than a batch the rest is zeros with labels
                -1.
            look: how each sample is seen.

        Raises:
            DataError: a sample cannot be read.
        """
        under_way: deque[_Batch] = deque()
        try:
            for chosen in choices:
                under_way.append(self._begun(part, chosen, look))
                if len(under_way) > AHEAD:
                    yield self._finished(under_way)
            while under_way:
                yield self._finished(under_way)
        finally:
            for room in under_way:
                room.cancel()

    def _room(self) -> _Batch:
        images = untouched((self.batch, *self.data.transform.shape), np.float32)
        return _Batch(images, untouched((self.batch, *self.data.target.shape), np.int64), [])

    def _begun(self, part: Part, chosen: Indices, look: Look) -> _Batch:
        room = self._rooms[0]
        self._rooms.rotate(-1)
        rows = np.flatnonzero(self.reads.images | self.reads.labels)
        most = max(1, min(len(rows) // (self._threads * TASKS_PER_THREAD), self._samples_at_once))
        tasks = np.split(rows, range(most, len(rows), most))
        room.tasks = [
            self._pool.submit(self._fill, room, part, chosen, look, rows) for rows in tasks
        ]
        return room

    def _finished(self, under_way: deque[_Batch]) -> tuple[Floats, Labels]:
        for task in under_way[0].tasks:
            task.result()
        room = under_way.popleft()
        return room.images, room.labels

    def _fill(self, room: _Batch, part: Part, chosen: Indices, look: Look, rows: Indices) -> None:
        for array, wanted, make, none in (
            (room.images, self.reads.images, self.data.images, 0),
            (room.labels, self.reads.labels, self.data.labels, -1),
        ):
            mine = rows[wanted[rows]]
            there = mine[mine < len(chosen)]
            array[mine[len(there) :]] = none
            if len(there):
                array[there] = make(part, chosen[there], look)
