"""Small parts are decoded once: what was read of them is kept as bytes."""

from __future__ import annotations

import math

import numpy as np

from pyhpmp.data.part import Cut, Part, Raw

#: Bytes of a part's scaled images up to which a rank keeps those that it has read.
MOST_KEPT = 2**28
Shape = tuple[int, int, int]


class Kept(Part):
    """Another part, whose images are uint8 of one shape (C, H, W) where nothing is cut out."""

    def __init__(self, inner: Part, shape: Shape) -> None:
        self.inner, self.shape = inner, shape
        self.labels = inner.labels
        self._images = np.empty((len(inner), *shape), np.uint8)  # no memory where not written
        self._there = np.zeros(len(inner), np.bool_)

    def __reduce__(self) -> tuple[type[Kept], tuple[Part, Shape]]:
        return Kept, (self.inner, self.shape)

    def __len__(self) -> int:
        return len(self.inner)

    def image(self, index: int, cut: Cut | None = None) -> Raw:
        if cut is not None:
            return self.inner.image(index, cut)
        if not self._there[index]:
            self._images[index] = self.inner.image(index)
            self._there[index] = True  # last, so that no thread sees half an image
        return self._images[index]  # type: ignore[no-any-return]

    def size(self, index: int) -> tuple[int, int]:
        return self.inner.size(index)

    def label(self, index: int) -> Raw:
        return self.inner.label(index)

    def name(self, index: int) -> str:
        return self.inner.name(index)


def kept(part: Part, shape: Shape) -> Part:
    """The part, with its images kept where they are few or small enough."""
    return Kept(part, shape) if len(part) * math.prod(shape) <= MOST_KEPT else part
