"""A data set in memory: raw images stay small, batches are made fit for the model when used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pyhpmp.data.resize import nearest, resized

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """images: (N, C, H, W), any dtype; labels: (N), or (N, h, w) of pixels, any integers."""

    images: npt.NDArray[Any]
    labels: npt.NDArray[Any]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Transform:
    """(raw - mean) / std, scaled to `shape` (C, H, W); one raw channel serves all of the model."""

    mean: float
    std: float
    shape: tuple[int, int, int]

    def __call__(self, raw: npt.NDArray[Any]) -> Floats:
        channels, height, width = self.shape
        images = (raw.astype(np.float32) - np.float32(self.mean)) / np.float32(self.std)
        images = resized(images, height, width)
        if images.shape[1] != channels:
            images = np.repeat(images, channels, axis=1)
        return np.ascontiguousarray(images)


@dataclass(frozen=True)
class Target:
    """Labels as a model's output takes them: `shape` (H, W) of pixels, or () of whole images.

    ignore: the label that stands for none, as -1 does.
    """

    shape: tuple[int, ...] = ()
    ignore: int = -1

    def __call__(self, raw: npt.NDArray[Any]) -> Labels:
        labels = raw.astype(np.int64)
        labels[labels == self.ignore] = -1
        if self.shape and labels.shape[1:] != self.shape:
            labels = nearest(labels, *self.shape)
        return np.ascontiguousarray(labels)


@dataclass(frozen=True)
class Dataset:
    """classes: labels are 0..classes-1."""

    name: str
    classes: int
    train: Split
    test: Split | None
    transform: Transform
    target: Target = Target()

    def batch(self, split: Split, chosen: npt.NDArray[np.int64]) -> tuple[Floats, Labels]:
        """Images (n, C, H, W) float32 and labels (n), or (n, H, W), of the chosen samples."""
        return self.transform(split.images[chosen]), self.target(split.labels[chosen])

    def padded(self, split: Split, batch: int) -> Iterator[tuple[Floats, Labels]]:
        """The whole split in order, the last batch filled up with zeros and labels -1."""
        for start in range(0, len(split), batch):
            chosen = np.arange(start, min(start + batch, len(split)))
            images, labels = self.batch(split, chosen)
            missing = batch - len(chosen)
            if missing:
                images = np.pad(images, [(0, missing), (0, 0), (0, 0), (0, 0)])
                fill = [(0, missing)] + [(0, 0)] * (labels.ndim - 1)
                labels = np.pad(labels, fill, constant_values=-1)
            yield images, labels


def shuffled(samples: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """An order of 0..samples-1 that depends on (seed, epoch) only: the same on every rank."""
    generator = np.random.Generator(np.random.Philox(key=[seed % 2**64, epoch]))
    return generator.permutation(samples)
