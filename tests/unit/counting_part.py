"""A part of a data set that knows what was read of it."""

from __future__ import annotations

import threading
from collections import Counter

import numpy as np

from pyhpmp import data
from pyhpmp.data.part import Cut, Raw
from pyhpmp.errors import DataError


class CountingPart(data.Part):
    """Another part, with counts by sample; reading a sample in `broken` fails."""

    def __init__(self, inner: data.Part, broken: tuple[int, ...] = ()) -> None:
        self.inner, self.broken = inner, broken
        self.images_read: Counter[int] = Counter()
        self.labels_read: Counter[int] = Counter()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.inner)

    def image(self, index: int, cut: Cut | None = None) -> Raw:
        with self._lock:
            self.images_read[index] += 1
        if index in self.broken:
            raise DataError(f"{self.name(index)}: broken")
        return self.inner.image(index, cut)

    def size(self, index: int) -> tuple[int, int]:
        return self.inner.size(index)

    def label(self, index: int) -> Raw:
        with self._lock:
            self.labels_read[index] += 1
        return self.inner.label(index)

    def name(self, index: int) -> str:
        return f"sample {index}"


def counting(samples: int, broken: tuple[int, ...] = ()) -> tuple[data.Dataset, CountingPart]:
    """A data set of 3x4x4 images that hold their own number and nothing else."""
    numbers = np.arange(samples)
    images = np.ones((samples, 3, 4, 4), np.float32) * numbers[:, None, None, None]
    part = CountingPart(data.Arrays(images, numbers, "numbers"), broken)
    transform = data.Transform(0.0, 1.0, (3, 4, 4))
    return data.Dataset("numbers", samples, part, None, transform), part
