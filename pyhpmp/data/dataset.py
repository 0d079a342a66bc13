"""A data set: parts of raw samples, and how each becomes what a model takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyhpmp.data.augment import PLAIN, Look, View, plain
from pyhpmp.data.part import Part, Raw
from pyhpmp.data.resize import nearest, resized
from pyhpmp.errors import DataError

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Transform:
    """(raw - mean) / std, scaled to `shape` (C, H, W); one raw channel serves all of the model."""

    mean: float
    std: float
    shape: tuple[int, int, int]

    def __call__(self, raw: Raw) -> Floats:
        """(..., C or 1, h, w) to (..., C, H, W)."""
        channels, height, width = self.shape
        images = raw.astype(np.float32)
        images -= np.float32(self.mean)
        images /= np.float32(self.std)
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

    def images(self, part: Part, chosen: Indices, look: Look = plain) -> Floats:
        """(n, C, H, W) of the chosen samples, as the model takes them. Raises DataError."""
        views = [look(int(index)) for index in chosen]
        raw = [
            part.image(int(index), view.window if view.tries else None)
            for index, view in zip(chosen, views, strict=True)
        ]
        alike = len({image.shape for image in raw}) == 1
        made = self.transform(np.stack(raw)) if alike else np.stack(list(map(self.transform, raw)))
        for row, view in enumerate(views):
            if view is not PLAIN:
                made[row] = view.moved(made[row])
        return made

    def labels(self, part: Part, chosen: Indices, look: Look = plain) -> Labels:
        """(n) or (n, H, W), likewise; -1 where there is none."""
        if self.target.shape:
            made = np.stack([self._map(part, int(index), look(int(index))) for index in chosen])
        elif part.labels is not None:
            made = self.target(part.labels[chosen])
        else:
            made = self.target(np.array([part.label(int(index)) for index in chosen]))
        highest = int(made.max(initial=-1))
        if self.target.classes and highest >= self.target.classes:
            wrong = int(chosen[np.argwhere(made == highest)[0, 0]])
            raise DataError(
                f"{part.name(wrong)}: a label is {highest}, the model has classes "
                f"0..{self.target.classes - 1}; use a model with at least {highest + 1}"
            )
        return made

    def _map(self, part: Part, index: int, view: View) -> Labels:
        labels = part.label(index)
        if view is not PLAIN:
            size = part.size(index) if view.tries else labels.shape  # nothing is cut without
            labels = view.labels(labels, self.target.shape, size, self.transform.shape[1:])
        return self.target(labels)

    def batch(self, part: Part, chosen: Indices) -> tuple[Floats, Labels]:
        """Images (n, C, H, W) float32 and labels (n), or (n, H, W), of the chosen samples."""
        return self.images(part, chosen), self.labels(part, chosen)


def shuffled(samples: int, seed: int, epoch: int) -> Indices:
    """An order of 0..samples-1 that depends on (seed, epoch) only: the same on every rank."""
    generator = np.random.Generator(np.random.Philox(key=[seed % 2**64, epoch]))
    return generator.permutation(samples)


def in_order(samples: int, batch: int) -> Iterator[Indices]:
    """All samples, batch by batch; the last may be shorter."""
    for start in range(0, samples, batch):
        yield np.arange(start, min(start + batch, samples))
