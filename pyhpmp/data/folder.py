"""Folders of images, read with Pillow: `CLASS/NAME.*`, or `images/NAME.*` and `masks/NAME.*`."""

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
_MASKED = ("images", "masks")
_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")


def read_classes(path: Path, shape: Shape) -> tuple[Split, Split | None]:
    """Training and test part, see `_parts`: a folder of images for each class.

    Classes are numbered in the order of the training folders' names. Images are scaled to the
    model's input.

    Raises:
        DataError: no images, a class of the test part that is none, a file that is no image, or no
            Pillow.
    """
    train, test = _parts(path, shape)
    names = _classes(train)
    if names == [*_MASKED]:
        raise DataError(f"{path}: masks label pixels, the model labels images")
    return _labelled(train, names, shape), _labelled(test, names, shape) if test else None


def read_masked(path: Path, shape: Shape) -> tuple[Split, Split | None]:
    """Training and test part, see `_parts`: images, and masks of the same names.

    Images are scaled to the model's input, masks to the nearest pixel; a mask's numbers, or its
    palette's, are classes.

    Raises:
        DataError: no images, one without its mask, a file that is none, or no Pillow.
    """
    train, test = _parts(path, shape)
    return _masked(train, shape), _masked(test, shape) if test else None


def _parts(path: Path, shape: Shape) -> tuple[Path, Path | None]:
    """`path`/train and `path`/test (or val) where there is one, or all of `path` and none."""
    if shape[0] not in _MODES:
        raise DataError(f"{path}: images have 1 or 3 channels, the model reads {shape[0]}")
    if not path.is_dir():
        raise DataError(f"{path}: no such folder")
    if not (path / "train").is_dir():
        return path, None
    tests = (path / name for name in ("test", "val") if (path / name).is_dir())
    return path / "train", next(tests, None)


def _classes(path: Path) -> list[str]:
    return sorted(f.name for f in path.iterdir() if f.is_dir() and not f.name.startswith("."))


def _labelled(path: Path, names: list[str], shape: Shape) -> Split:
    unknown = sorted(set(_classes(path)) - set(names))
    if unknown:
        raise DataError(f"{path}: '{unknown[0]}' is no class of the training images")
    found = [(f, label) for label, name in enumerate(names) for f in _images(path / name)]
    if not found:
        raise DataError(f"{path}: no images; put those of each class into a folder of its own")
    images = np.empty((len(found), *shape), np.uint8)
    for i, (file, _) in enumerate(found):
        images[i] = _image(file, shape)
    return Split(images, np.array([label for _, label in found], np.int64))


def _images(path: Path) -> list[Path]:
    """Files of a folder that may be images, by name; none where there is no such folder."""
    if not path.is_dir():
        return []
    return sorted(f for f in path.iterdir() if f.suffix.lower() in _SUFFIXES)


def _masked(path: Path, shape: Shape) -> Split:
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
    for kind in _MASKED:
        folder = path / kind
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder; put images into it, masks beside it")
        found[kind] = {f.stem: f for f in _images(folder)}
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
