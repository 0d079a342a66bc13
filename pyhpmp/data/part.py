"""One part of a data set: samples by number, each read when it is asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Raw = npt.NDArray[Any]
#: From the height and width of an image to what of it is wanted: top, left, height and width.
Cut = Callable[[int, int], tuple[int, int, int, int]]


class Part(ABC):
    """Samples 0, 1, ...; several threads may read at once.

    labels: of all samples, where they are at hand; None where each must be read.

    A part that travels to other ranks takes along what it knows of its samples, not what is in
    them: every rank reads those for itself, under the same path.
    """

    labels: Raw | None = None

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def image(self, index: int, cut: Cut | None = None) -> Raw:
        """(C, h, w) of what `cut` says, as it is stored or scaled to the model's input.

        Raises DataError.
        """

    @abstractmethod
    def size(self, index: int) -> tuple[int, int]:
        """Height and width of an image as it is stored. Raises DataError."""

    def label(self, index: int) -> Raw:
        """A class, of shape (), or one for each pixel, (h, w); of `labels`. Raises DataError."""
        assert self.labels is not None
        return np.asarray(self.labels[index])

    @abstractmethod
    def name(self, index: int) -> str:
        """How an error names a sample."""


def within(image: Raw, cut: Cut | None) -> Raw:
    """Of an image (C, h, w) what a cut wants."""
    if cut is None:
        return image
    top, left, height, width = cut(*image.shape[-2:])
    return image[:, top : top + height, left : left + width]


class Arrays(Part):
    """images: (N, C, h, w), or (N, h, w) of one channel; labels: (N), or (N, h, w); any numbers.

    Args:
        source: how errors name what the arrays are of.
        reopen: a function and arguments with which another rank opens the same part; without them
            the arrays travel.
    """

    def __init__(
        self,
        images: Raw,
        labels: Raw,
        source: str,
        reopen: tuple[Callable[..., Arrays], tuple[Any, ...]] | None = None,
    ) -> None:
        self.images = images[:, None] if images.ndim == 3 else images
        self.labels: Raw = labels
        self.source = source
        self._reopen = reopen

    def __reduce__(self) -> tuple[Callable[..., Arrays], tuple[Any, ...]]:
        return self._reopen or (Arrays, (self.images, self.labels, self.source))

    def __len__(self) -> int:
        return len(self.labels)

    def image(self, index: int, cut: Cut | None = None) -> Raw:
        return within(self.images[index], cut)

    def size(self, index: int) -> tuple[int, int]:
        height, width = self.images.shape[-2:]
        return height, width

    def name(self, index: int) -> str:
        return f"{self.source}, sample {index}"
