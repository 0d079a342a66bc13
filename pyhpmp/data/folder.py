"""Folders of images: `CLASS/NAME.*`, or `images/NAME.*` and `masks/NAME.*`; an index of files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from pyhpmp.data import pictures
from pyhpmp.data.part import Cut, Part, Raw
from pyhpmp.errors import DataError

Shape = tuple[int, int, int]
_MASKED = ("images", "masks")


class Files:
    """Paths below a folder, as one string of bytes: a million take some tens of megabytes."""

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        encoded = [os.fsencode(name) for name in names]
        self._folder = os.fsencode(folder)
        self._text = b"".join(encoded)
        self._ends = np.cumsum([len(name) for name in encoded], dtype=np.int64)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> Path:
        start = int(self._ends[index - 1]) if index else 0
        name = self._text[start : int(self._ends[index])]
        return Path(os.fsdecode(os.path.join(self._folder, name)))


class LabelledFiles(Part):
    """Images with a class each."""

    def __init__(self, files: Files, labels: Raw, shape: Shape) -> None:
        self.files, self.shape = files, shape
        self.labels: Raw = labels

    def __len__(self) -> int:
        return len(self.labels)

    def image(self, index: int, cut: Cut | None = None) -> Raw:
        return pictures.read_image(self.files[index], self.name(index), self.shape, cut)

    def size(self, index: int) -> tuple[int, int]:
        return pictures.read_size(self.files[index], self.name(index))

    def name(self, index: int) -> str:
        return str(self.files[index])


class MaskedFiles(Part):
    """Images with a mask each."""

    def __init__(self, images: Files, masks: Files, shape: Shape) -> None:
        self.images, self.masks, self.shape = images, masks, shape

    def __len__(self) -> int:
        return len(self.images)

    def image(self, index: int, cut: Cut | None = None) -> Raw:
        path = self.images[index]
        return pictures.read_image(path, str(path), self.shape, cut)

    def size(self, index: int) -> tuple[int, int]:
        path = self.images[index]
        return pictures.read_size(path, str(path))

    def label(self, index: int) -> Raw:
        return pictures.read_mask(self.masks[index], self.name(index))

    def name(self, index: int) -> str:
        return str(self.masks[index])


def open_classes(path: Path, shape: Shape) -> tuple[LabelledFiles, LabelledFiles | None]:
    """Training and test part, see `_parts`: a folder of images for each class.

    Classes are numbered in the order of the training folders' names.

    Raises:
        DataError: no images, or a class of the test part that is none.
    """
    train, test = _parts(path, shape)
    names = _classes(train)
    if names == [*_MASKED]:
        raise DataError(f"{path}: masks label pixels, the model labels images")
    return _labelled(train, names, shape), _labelled(test, names, shape) if test else None


def open_masked(path: Path, shape: Shape) -> tuple[MaskedFiles, MaskedFiles | None]:
    """Training and test part, see `_parts`: images, and masks of the same names.

    A mask's numbers, or its palette's, are classes.

    Raises:
        DataError: no images, or one without its mask.
    """
    train, test = _parts(path, shape)
    return _masked(train, shape), _masked(test, shape) if test else None


def _parts(path: Path, shape: Shape) -> tuple[Path, Path | None]:
    """`path`/train and `path`/test (or val) where there is one, or all of `path` and none."""
    pictures.check_channels(shape, str(path))
    if not path.is_dir():
        raise DataError(f"{path}: no such folder")
    if not (path / "train").is_dir():
        return path, None
    tests = (path / name for name in ("test", "val") if (path / name).is_dir())
    return path / "train", next(tests, None)


def _classes(path: Path) -> list[str]:
    return sorted(f.name for f in path.iterdir() if f.is_dir() and not f.name.startswith("."))


def _labelled(path: Path, names: list[str], shape: Shape) -> LabelledFiles:
    unknown = sorted(set(_classes(path)) - set(names))
    if unknown:
        raise DataError(f"{path}: '{unknown[0]}' is no class of the training images")
    found = [(name, _images(path / name)) for name in names]
    files = Files(path, (os.path.join(name, file) for name, images in found for file in images))
    if not len(files):
        raise DataError(f"{path}: no images; put those of each class into a folder of its own")
    labels = np.repeat(np.arange(len(names)), [len(images) for _, images in found])
    return LabelledFiles(files, labels.astype(np.int32), shape)


def _images(path: Path) -> list[str]:
    """Names of a folder's files that may be images, in order; none where there is no folder."""
    if not path.is_dir():
        return []
    return sorted(name for name in os.listdir(path) if name.lower().endswith(pictures.SUFFIXES))


def _masked(path: Path, shape: Shape) -> MaskedFiles:
    found: dict[str, dict[str, str]] = {}
    for kind in _MASKED:
        folder = path / kind
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder; put images into it, masks beside it")
        found[kind] = {os.path.splitext(name)[0]: name for name in _images(folder)}
    missing = sorted(set(found["images"]) - set(found["masks"]))
    if missing or not found["images"]:
        lack = f"no mask for '{missing[0]}'" if missing else "no images"
        raise DataError(f"{path}: {lack}; give every image a mask of the same name")
    names = sorted(found["images"])
    images, masks = (Files(path / kind, (found[kind][n] for n in names)) for kind in _MASKED)
    return MaskedFiles(images, masks, shape)
