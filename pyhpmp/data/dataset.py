"""A data set: parts of raw samples, and how each becomes what a model takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyhpmp.data.augment import PLAIN, View
from pyhpmp.data.part import Part, Raw
from pyhpmp.data.resize import nearest, resized
from pyhpmp.errors import DataError

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Transform:
    """(raw - mean) / std, scaled to `shape` (C, H, W); one raw channel serves all of the model."""

    mean: float
    std: float
    shape: tuple[int, int, int]

    def __call__(self, raw: Raw) -> Floats:
        """(..., C or 1, h, w) to (..., C, H, W)."""
        channels, height, width = self.shape
        images = (raw.astype(np.float32) - np.float32(self.mean)) / np.float32(self.std)
        images = resized(images, height, width)
        if images.shape[-3] != channels:
            images = np.repeat(images, channels, axis=-3)
        return np.ascontiguousarray(images)


@dataclass(frozen=True)
class Target:
    """Labels as a model's output takes them: `shape` (H, W) of pixels, or () of whole images.

    ignore: the label that stands for none, as -1 does. classes: of the model; 0 for any number.
    """

    shape: tuple[int, ...] = ()
    ignore: int = -1
    classes: int = 0

    def __call__(self, raw: Raw) -> Labels:
        labels = raw.astype(np.int64)
        labels[labels == self.ignore] = -1
        if self.shape and labels.shape[-2:] != self.shape:
            labels = nearest(labels, *self.shape)
        return np.asarray(labels, order="C")


@dataclass(frozen=True)
class Dataset:
    """classes: labels are 0..classes-1, of masks in files those of a sample of them."""

    name: str
    classes: int
    train: Part
    test: Part | None
    transform: Transform
    target: Target = Target()

    def image(self, part: Part, index: int, view: View = PLAIN) -> Floats:
        """(C, H, W), as the model takes it. Raises DataError."""
        return view.moved(self.transform(part.image(index, view.window if view.tries else None)))

    def label(self, part: Part, index: int, view: View = PLAIN) -> Labels:
        """() or (H, W), likewise; -1 where there is none."""
        labels = part.label(index)
        if view is not PLAIN and self.target.shape:
            size = part.size(index) if view.tries else labels.shape  # nothing is cut without
            labels = view.labels(labels, self.target.shape, size, self.transform.shape[1:])
        labels = self.target(labels)
        highest = int(labels.max(initial=-1))
        if self.target.classes and highest >= self.target.classes:
            raise DataError(
                f"{part.name(index)}: a label is {highest}, the model has classes "
                f"0..{self.target.classes - 1}; use a model with at least {highest + 1}"
            )
        return labels

    def batch(self, part: Part, chosen: npt.NDArray[np.int64]) -> tuple[Floats, Labels]:
        """Images (n, C, H, W) float32 and labels (n), or (n, H, W), of the chosen samples."""
        images = [self.image(part, int(index)) for index in chosen]
        return np.stack(images), np.stack([self.label(part, int(index)) for index in chosen])


def shuffled(samples: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """An order of 0..samples-1 that depends on (seed, epoch) only: the same on every rank."""
    generator = np.random.Generator(np.random.Philox(key=[seed % 2**64, epoch]))
    return generator.permutation(samples)


def in_order(samples: int, batch: int) -> Iterator[npt.NDArray[np.int64]]:
    """All samples, batch by batch; the last may be shorter."""
    for start in range(0, samples, batch):
        yield np.arange(start, min(start + batch, samples))
