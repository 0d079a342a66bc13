"""Training images seen anew in every epoch: flipped, shifted, or a part of them enlarged.

What is drawn depends on (seed, epoch, sample) alone, so that it is the same whatever rank reads.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Shape = tuple[int, int, int]
Window = tuple[int, int, int, int]  # top, left, height, width in pixels
Look = Callable[[int], "View"]  # by sample

AUGMENTS = ("none", "flip", "crop", "resized-crop")
SHIFT = 8  # images are shifted by up to 1/8 of their side
# Szegedy et al., Going Deeper with Convolutions, 2015: shares of the area, widths by heights.
LEAST_AREA, NARROWEST, WIDEST = 0.08, 3 / 4, 4 / 3
TRIES = 10  # before the middle of the image is taken
_STREAM = 1  # apart from that of `shuffled`, which has the same key


@dataclass(frozen=True)
class View:
    """How one sample is seen.

    flipped: left-right. shift: (rows, columns) of the model's input; what comes in is zero, or no
    label. tries: (area, aspect, top, left) from 0 to 1, of which the first that fits the image is
    the window that is enlarged.
    """

    flipped: bool = False
    shift: tuple[int, int] = (0, 0)
    tries: tuple[tuple[float, ...], ...] = ()

    def window(self, height: int, width: int) -> Window:
        """Of an image of height x width pixels."""
        if not self.tries:
            return 0, 0, height, width
        for area, aspect, top, left in self.tries:
            pixels = height * width * (LEAST_AREA + (1 - LEAST_AREA) * area)
            ratio = NARROWEST * (WIDEST / NARROWEST) ** aspect
            h, w = round(math.sqrt(pixels / ratio)), round(math.sqrt(pixels * ratio))
            if 0 < h <= height and 0 < w <= width:
                return int(top * (height - h + 1)), int(left * (width - w + 1)), h, w
        h = min(height, max(1, round(width / NARROWEST)))
        w = min(width, max(1, round(height * WIDEST)))
        return (height - h) // 2, (width - w) // 2, h, w

    def moved(self, image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """A standardised image (C, H, W) of the window, shifted and flipped."""
        rows, columns = self.shift
        if rows or columns:
            height, width = image.shape[-2:]
            padding = [(0, 0), (abs(rows), abs(rows)), (abs(columns), abs(columns))]
            top, left = rows + abs(rows), columns + abs(columns)
            image = np.pad(image, padding)[:, top : top + height, left : left + width]
        return image[:, :, ::-1] if self.flipped else image

    def labels(
        self,
        raw: npt.NDArray[Any],
        shape: tuple[int, ...],
        image: tuple[int, ...],
        model: tuple[int, int],
    ) -> npt.NDArray[np.int64]:
        """The labels (h, w) of an image at the centres of `shape` pixels of what is seen of it.

        image: height and width of the image as it is stored. model: of the model's input. Labels
        are -1 where there is none.
        """
        window = self.window(image[0], image[1])
        rows, columns = (
            _nearest(
                shape[axis],
                raw.shape[axis],
                (window[axis], window[axis + 2], image[axis]),
                (self.shift[axis], model[axis]),
            )
            for axis in (0, 1)
        )
        if self.flipped:
            columns = columns[::-1]
        seen = raw[rows[:, None], columns].astype(np.int64)
        seen[rows < 0] = -1
        seen[:, columns < 0] = -1
        return seen


#: All of an image, as it is.
PLAIN = View()


def _nearest(
    count: int, labels: int, window: tuple[int, int, int], shift: tuple[int, int]
) -> npt.NDArray[np.int64]:
    """By pixel of `count`, which of `labels` is at its centre along one axis; -1 outside.

    window: where it begins, its extent and that of the image. shift: by how many of how many.
    """
    start, extent, whole = window
    moved, side = shift
    unit = 2 * count * side
    centre = (2 * np.arange(count) + 1) * side + 2 * count * moved  # of the window, in 1/unit
    at = (centre * extent + start * unit) * labels // (unit * whole)
    return np.where((centre >= 0) & (centre < unit), at, -1)


def plain(sample: int) -> View:
    """How samples are seen that are not augmented."""
    return PLAIN


def look_of(kind: str, seed: int, epoch: int, shape: Shape) -> Look:
    """How every sample is seen in an epoch.

    Args:
        kind: one of AUGMENTS. shape: (C, H, W) of the model's input.
    """
    if kind == "none":
        return plain

    def look(sample: int) -> View:
        bits = np.random.Philox(key=[seed % 2**64, epoch], counter=[0, 0, sample, _STREAM])
        generator = np.random.Generator(bits)
        flipped = bool(generator.random() < 0.5)
        if kind == "crop":
            most = [side // SHIFT for side in shape[1:]]
            rows, columns = (int(generator.integers(-m, m, endpoint=True)) for m in most)
            return View(flipped, (rows, columns))
        if kind == "resized-crop":
            return View(flipped, tries=tuple(map(tuple, generator.random((TRIES, 4)).tolist())))
        return View(flipped)

    return look
