"""A folder of images with masks, read with Pillow: `images/NAME.*` and `masks/NAME.*`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pyhpmp.data.dataset import Split
from pyhpmp.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

Shape = tuple[int, int, int]
_MODES = {1: "L", 3: "RGB"}
_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")


def read(path: Path, shape: Shape) -> tuple[Split, Split | None]:
    """Training and test part: `path`/train and `path`/test, or all of `path` and none.

    Images are scaled to the model's input, masks to the nearest pixel; a mask's numbers, or its
    palette's, are classes.

    Raises:
        DataError: no images, one without its mask, a file that is none, or no Pillow.
    """
    if shape[0] not in _MODES:
        raise DataError(f"{path}: images have 1 or 3 channels, the model reads {shape[0]}")
    if (path / "train").is_dir():
        test = path / "test"
        return _split(path / "train", shape), _split(test, shape) if test.is_dir() else None
    return _split(path, shape), None


def _split(path: Path, shape: Shape) -> Split:
    pairs = _pairs(path)
    images = np.empty((len(pairs), *shape), np.uint8)
    masks = np.empty((len(pairs), *shape[1:]), np.int16)
    for i, (image, mask) in enumerate(pairs):
        images[i] = _image(image, shape)
        masks[i] = _mask(mask, shape)
    return Split(images, masks)


def _pairs(path: Path) -> list[tuple[Path, Path]]:
    """Images and their masks, by name."""
    found: dict[str, dict[str, Path]] = {}
    for kind in ("images", "masks"):
        folder = path / kind
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder; put images into it, masks beside it")
        files = (f for f in folder.iterdir() if f.suffix.lower() in _SUFFIXES)
        found[kind] = {f.stem: f for f in sorted(files)}
    missing = sorted(set(found["images"]) - set(found["masks"]))
    if missing or not found["images"]:
        lack = f"no mask for '{missing[0]}'" if missing else "no images"
        raise DataError(f"{path}: {lack}; give every image a mask of the same name")
    return [(found["images"][name], found["masks"][name]) for name in sorted(found["images"])]


def _opened(path: Path) -> Image:
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise DataError("reading images needs Pillow: pip install pillow") from error
    try:
        image = Image.open(path)
        image.load()
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: cannot be read as an image: {error}") from error
    return image


def _image(path: Path, shape: Shape) -> npt.NDArray[Any]:
    from PIL.Image import Resampling

    channels, height, width = shape
    image = _opened(path).convert(_MODES[channels]).resize((width, height), Resampling.BILINEAR)
    return np.asarray(image, np.uint8).reshape(height, width, channels).transpose(2, 0, 1)


def _mask(path: Path, shape: Shape) -> npt.NDArray[Any]:
    from PIL.Image import Resampling

    mask = _opened(path)
    if mask.mode not in ("1", "L", "P", "I", "I;16"):
        raise DataError(f"{path}: a mask has one number per pixel, this image is {mask.mode}")
    labels = np.asarray(mask.resize((shape[2], shape[1]), Resampling.NEAREST)).astype(np.int64)
    if labels.min() < 0 or labels.max() >= 2**15:
        raise DataError(f"{path}: labels from {labels.min()} to {labels.max()} are no classes")
    return labels
