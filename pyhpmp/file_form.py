"""How a model's file sees its input and outputs, where that is not (N, C, H, W)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Order = tuple[int, ...]


@dataclass(frozen=True)
class FileForm:
    """An order names the native axis (0, 1, 2 for C, H, W) at each dimension after the batch.

    input_order: of a file whose input has its channels last; else empty. output_dims: dimensions of
    each output after the batch. output_orders: of each output, as `input_order`.
    """

    input_order: Order = ()
    output_dims: tuple[tuple[int, ...], ...] = ()
    output_orders: tuple[Order, ...] = ()

    def images(self, images: Any, native: tuple[int, int, int]) -> Any:
        """The images as the network takes them, (N, *native); they may have the file's form."""
        order = self.input_order
        if not order:
            return images
        x = images if isinstance(images, np.ndarray) else np.from_dlpack(images)
        if x.ndim != 1 + len(order) or x.shape[1:] != tuple(native[axis] for axis in order):
            return images
        moved = x.transpose(0, *(1 + order.index(axis) for axis in range(len(order))))
        return np.ascontiguousarray(moved)

    def output(self, index: int, y: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Output `index`, (N, C) or (N, C, H, W), in the form of the file."""
        order = self.output_orders[index] if self.output_orders else ()
        if order:
            moved = (*(1 + axis for axis in order), *range(1 + len(order), y.ndim))
            y = y.transpose(0, *moved)
        return y.reshape(len(y), *self.output_dims[index]) if self.output_dims else y
