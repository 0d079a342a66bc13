"""Mean and deviation of bytes, counted by value: exact, and with little memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pyhpmp.data.part import Raw

T = TypeVar("T")
SAMPLE = 1000  # images or masks that stand for all of a part that is read as it is needed
CHUNK_BYTES = 2**20


def mean_and_deviation(images: Iterable[Raw]) -> tuple[float, float]:
    """Of all numbers in arrays of uint8; the deviation is 1 where they are all equal."""
    counts = np.zeros(256, np.int64)
    for array in images:
        counts += np.bincount(array.reshape(-1), minlength=256)
    values, total = np.arange(256.0), max(int(counts.sum()), 1)
    mean = float(values @ counts) / total
    deviation = float(np.sqrt(((values - mean) ** 2) @ counts / total))
    return mean, deviation or 1.0


def chunks(array: Raw) -> Iterator[Raw]:
    """The samples of an array, a few at a time."""
    step = max(1, CHUNK_BYTES // max(array[:1].nbytes, 1))
    for start in range(0, len(array), step):
        yield array[start : start + step]


def sample_of(samples: int) -> npt.NDArray[np.int64]:
    """At most SAMPLE of 0..samples-1, ascending; the same ones in every run."""
    if samples <= SAMPLE:
        return np.arange(samples)
    generator = np.random.Generator(np.random.Philox(key=[samples, 0]))
    return np.sort(generator.choice(samples, SAMPLE, replace=False))


def read_sample(read: Callable[[int], T], samples: int) -> Iterator[T]:
    """`read(index)` of a sample of the indices, by as many threads as there are cores."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        try:
            yield from pool.map(lambda index: read(int(index)), sample_of(samples))
        finally:
            pool.shutdown(cancel_futures=True)
