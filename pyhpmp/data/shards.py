"""Shards as WebDataset writes them: tar files of KEY.jpg (or png, webp, ...) beside KEY.cls.

Nothing is unpacked: an index says where in which shard every image begins, so that samples can be
shuffled over all shards.
"""

from __future__ import annotations

import glob
import io
import os
import tarfile
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from pyhpmp.data import pictures
from pyhpmp.data.part import Cut, Part, Raw
from pyhpmp.errors import DataError

Shape = tuple[int, int, int]
MOST_IMAGE_BYTES = 2**28
_MOST_CLASS_BYTES = 32
_MOST_HEADER_BYTES = 2**20  # of a name or of attributes
_MOST_CLASSES = 2**31
_BLOCK = 512
_TESTS = ("test", "val")


@dataclass
class _Index:
    """Columns by sample: a number of a shard, bytes, a class."""

    shard: array[int] = field(default_factory=lambda: array("i"))
    offset: array[int] = field(default_factory=lambda: array("q"))
    size: array[int] = field(default_factory=lambda: array("i"))
    label: array[int] = field(default_factory=lambda: array("i"))


class ShardedImages(Part):
    """Images in tar files with a class each."""

    def __init__(self, shards: list[Path], index: _Index, shape: Shape) -> None:
        self.shards, self.shape = shards, shape
        self.labels: Raw = np.array(index.label, np.int32)
        self._shard, self._size = np.array(index.shard, np.int32), np.array(index.size, np.int32)
        self._offset = np.array(index.offset, np.int64)

    def __len__(self) -> int:
        return len(self.labels)

    def image(self, index: int, cut: Cut | None = None) -> Raw:
        data = self._read(index)
        return pictures.read_image(io.BytesIO(data), self.name(index), self.shape, cut)

    def size(self, index: int) -> tuple[int, int]:
        return pictures.read_size(io.BytesIO(self._read(index)), self.name(index))

    def name(self, index: int) -> str:
        return f"{self.shards[self._shard[index]]}, the image at byte {self._offset[index]}"

    def _read(self, index: int) -> bytes:
        path, size = self.shards[self._shard[index]], int(self._size[index])
        try:
            with path.open("rb", buffering=0) as file:
                data = os.pread(file.fileno(), size, int(self._offset[index]))
        except OSError as error:
            raise DataError(f"{path}: {error.strerror or error}") from error
        if len(data) != size:
            raise DataError(f"{self.name(index)}: the file ends before it does; get it anew")
        return data


def open_shards(pattern: str, shape: Shape) -> tuple[ShardedImages, ShardedImages | None]:
    """Training part: the shards that `pattern` matches. Test part: those beside them.

    These have `test`, else `val`, where the last part of the pattern has `train`; without `train`
    there are none.

    Raises:
        DataError: no shards, one that is no whole tar file, a sample without image or class, or
            something else than files in it.
    """
    pictures.check_channels(shape, pattern)
    train = _matching(pattern)
    if not train:
        raise DataError(f"tar:{pattern}: no file matches; quote it, as in 'tar:shards/train-*.tar'")
    folder, last = os.path.split(pattern)
    if "train" not in last and len({_kind(path) for path in train}) > 1:
        raise DataError(
            f"tar:{pattern}: matches shards of several parts; name those to train on, as in "
            f"'tar:{os.path.join(folder, 'train-*.tar')}'"
        )
    others = (last.replace("train", name) for name in _TESTS if "train" in last)
    tests = next(filter(None, (_matching(os.path.join(folder, other)) for other in others)), [])
    return _scanned(train, shape), _scanned(tests, shape) if tests else None


def _matching(pattern: str) -> list[Path]:
    return [Path(name) for name in sorted(glob.glob(pattern))]


def _kind(path: Path) -> str:
    return next((kind for kind in ("train", *_TESTS) if kind in path.name), "")


def _scanned(shards: list[Path], shape: Shape) -> ShardedImages:
    index = _Index()
    for number, path in enumerate(shards):
        before = len(index.label)
        for image, label in _samples(path):
            index.shard.append(number)
            index.offset.append(image.offset_data)
            index.size.append(image.size)
            index.label.append(label)
        if len(index.label) == before:
            raise DataError(f"{path}: no images; a sample is KEY.jpg (or .png, ...) and KEY.cls")
    return ShardedImages(shards, index, shape)


def _samples(path: Path) -> Iterator[tuple[tarfile.TarInfo, int]]:
    """Image and class of every sample; its members stand next to each other."""
    key, image, label = "", None, None
    with _opened(path) as file:
        for member in _members(path, file):
            name, kind = _split(member.name)
            if kind != ".cls" and kind not in pictures.SUFFIXES:
                continue
            if name != key:
                yield from _whole(path, key, image, label)
                key, image, label = name, None, None
            if kind == ".cls" and label is None:
                label = _class(path, member, file)
            elif kind != ".cls" and image is None:
                image = _checked(path, member)
            else:
                raise DataError(f"{path}: '{name}' has a second '{kind}'; keys differ in a shard")
        yield from _whole(path, key, image, label)


def _whole(
    path: Path, key: str, image: tarfile.TarInfo | None, label: int | None
) -> Iterator[tuple[tarfile.TarInfo, int]]:
    if image is not None and label is not None:
        yield image, label
    elif image is not None or label is not None:
        raise DataError(
            f"{path}: '{key}' has no {'image' if image is None else '.cls'}; put image and .cls "
            "of a sample next to each other (tar --sort=name)"
        )


def _split(name: str) -> tuple[str, str]:
    """KEY, with its folder, and what follows from the first dot of the last part on."""
    folder, last = os.path.split(name)
    key, dot, kind = last.partition(".")
    return os.path.join(folder, key), (dot + kind).lower()


class _Bounded:
    """A file whose reads are short: what a header says of its length is not believed."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MOST_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self.file.read(size)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error


def _members(path: Path, file: BinaryIO) -> Iterator[tarfile.TarInfo]:
    """Files of a shard, none of which goes beyond its end."""
    end = os.fstat(file.fileno()).st_size
    if end % _BLOCK:
        raise DataError(f"{path}: {end} bytes are no whole blocks of {_BLOCK}: not a tar, or cut")
    try:
        archive = tarfile.TarFile(fileobj=_Bounded(file), mode="r")  # type: ignore[arg-type]
        while (member := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined]  # or it keeps all of them
            if member.size < 0 or (member.isreg() and member.offset_data + member.size > end):
                raise DataError(f"{path}: '{member.name}' goes beyond the end; get it anew")
            if not member.isdir():
                yield member
    except DataError:
        raise
    except Exception as error:  # headers of hostile files fail in many ways
        raise DataError(f"{path}: cannot be read as a tar file: {error}; get it anew") from error


def _checked(path: Path, member: tarfile.TarInfo) -> tarfile.TarInfo:
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
        raise DataError(f"{path}: '{member.name}' is no plain file; pack the images themselves")
    if member.size > MOST_IMAGE_BYTES:
        raise DataError(
            f"{path}: '{member.name}' has {member.size} bytes, an image at most {MOST_IMAGE_BYTES}"
        )
    return member


def _class(path: Path, member: tarfile.TarInfo, file: BinaryIO) -> int:
    size = _checked(path, member).size
    text = os.pread(file.fileno(), min(size, _MOST_CLASS_BYTES), member.offset_data)
    if size > _MOST_CLASS_BYTES or not text.strip().isdigit() or int(text) >= _MOST_CLASSES:
        shown = text.decode("ascii", "replace")
        raise DataError(f"{path}: '{member.name}' holds {shown!r}; it must be a class from 0 on")
    return int(text)
