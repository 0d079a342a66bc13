"""Decoding one image or mask with Pillow."""

from __future__ import annotations

from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from pyhpmp.data.part import Cut, Raw
from pyhpmp.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

Shape = tuple[int, int, int]
Source = Path | IO[bytes]
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
_MODES = {1: "L", 3: "RGB"}


def check_channels(shape: Shape, name: str) -> None:
    """Raises DataError where a model reads neither grey nor coloured images."""
    if shape[0] not in _MODES:
        raise DataError(f"{name}: images have 1 or 3 channels, the model reads {shape[0]}")


def read_image(source: Source, name: str, shape: Shape, cut: Cut | None = None) -> Raw:
    """What `cut` wants of an image, scaled to `shape` (C, H, W), uint8.

    Raises DataError beginning with `name`.
    """
    channels, height, width = shape
    image = _opened(source, name)
    try:
        from PIL.Image import Resampling

        if cut is not None:
            top, left, rows, columns = cut(image.height, image.width)
            image = image.crop((left, top, left + columns, top + rows))
        else:  # a JPEG's decoder may halve it, again and again, down to twice what is read
            image.draft(_MODES[channels], (2 * width, 2 * height))
        image = image.convert(_MODES[channels]).resize((width, height), Resampling.BILINEAR)
    except Exception as error:  # decoders of hostile files raise what they like
        raise _unreadable(name, error) from error
    return np.asarray(image, np.uint8).reshape(height, width, channels).transpose(2, 0, 1)


def read_size(source: Source, name: str) -> tuple[int, int]:
    """Height and width of an image, from its header. Raises DataError likewise."""
    with _opened(source, name) as image:
        return image.height, image.width


def read_mask(source: Source, name: str) -> Raw:
    """(h, w) of integers: a mask's numbers, or its palette's. Raises DataError likewise."""
    mask = _opened(source, name)
    if mask.mode not in ("1", "L", "P", "I", "I;16"):
        raise DataError(f"{name}: a mask has one number per pixel, this image is {mask.mode}")
    try:
        labels = np.asarray(mask)
    except Exception as error:  # likewise
        raise _unreadable(name, error) from error
    if labels.min() < 0 or labels.max() >= 2**15:
        raise DataError(f"{name}: labels from {labels.min()} to {labels.max()} are no classes")
    return labels


def _opened(source: Source, name: str) -> Image:
    """Only its header is read yet."""
    try:
        from PIL import Image
    except ImportError as error:
        raise DataError("reading images needs Pillow: pip install pillow") from error
    try:
        return Image.open(source)
    except Exception as error:  # likewise
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: Exception) -> DataError:
    said = str(error) or type(error).__name__
    return DataError(
        f"{name}: cannot be read as an image: {said}; put a whole one in its place, or take it out"
    )
