"""MNIST and data sets in its form: idx files of images and classes, plain or .gz."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Protocol

import numpy as np

from pyhpmp.data.part import Arrays, Raw
from pyhpmp.errors import DataError

#: Bytes that a .gz may unpack to, and how often deflate can make something smaller.
MOST_UNPACKED, MOST_SHRUNK = 2**30, 1032
_PIECE = 2**20
_KINDS = {"images": 3, "labels": 1}  # dimensions
_UNSIGNED_BYTES = 8  # the third byte of a file


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def open_mnist(path: Path) -> tuple[Arrays, Arrays | None]:
    """`train-images-idx3-ubyte` and `train-labels-idx1-ubyte`; `t10k-...` where there are any.

    Raises:
        DataError: files are missing, malformed or do not fit each other.
    """
    if not path.is_dir():
        raise DataError(f"{path}: no such folder")
    there = _file(path, "t10k", "images") or _file(path, "t10k", "labels")
    return part(path, "train"), part(path, "t10k") if there else None


def part(path: Path, which: str) -> Arrays:
    """One part, on this rank or another; plain files are mapped, .gz are unpacked."""
    images, labels = (_array(path, which, kind) for kind in _KINDS)
    if len(images) != len(labels) or not images.size:
        raise DataError(
            f"{path}: {which}-images has {images.shape} pixels, {which}-labels {len(labels)} "
            "classes; give every image a class"
        )
    return Arrays(images, labels, f"{path}/{which}", (part, (path, which)))


def _file(path: Path, which: str, kind: str) -> Path | None:
    dimensions = _KINDS[kind]
    names = (f"{which}-{kind}{dot}idx{dimensions}-ubyte" for dot in "-.")
    found = (path / (name + suffix) for name in names for suffix in ("", ".gz"))
    return next((file for file in found if file.exists()), None)


def _array(path: Path, which: str, kind: str) -> Raw:
    file, dimensions = _file(path, which, kind), _KINDS[kind]
    if file is None:
        raise DataError(f"{path}: no {which}-{kind}-idx{dimensions}-ubyte, nor with .gz")
    try:
        if file.suffix == ".gz":
            with gzip.open(file) as unpacked:
                return _unpacked(file, unpacked, dimensions)
        with file.open("rb") as plain:
            shape = _shape(file, plain, dimensions)
        offset, size = 4 + 4 * dimensions, file.stat().st_size
        if size != offset + math.prod(shape):
            raise _cut_off(file, shape, size - offset)
        empty = math.prod(shape) == 0
        return np.empty(shape, np.uint8) if empty else np.memmap(file, np.uint8, "r", offset, shape)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file}: cannot be read: {error}") from error


def _shape(path: Path, file: Readable, dimensions: int) -> tuple[int, ...]:
    header = file.read(4 + 4 * dimensions)
    if header[:4] != bytes((0, 0, _UNSIGNED_BYTES, dimensions)):
        raise DataError(
            f"{path}: begins with {header[:4].hex() or 'nothing'}, an idx file of bytes in "
            f"{dimensions} dimensions with {bytes((0, 0, _UNSIGNED_BYTES, dimensions)).hex()}"
        )
    if len(header) < 4 + 4 * dimensions:
        raise DataError(f"{path}: ends in its header; get it anew")
    return tuple(map(int, np.frombuffer(header, ">u4", dimensions, 4)))


def _unpacked(path: Path, file: Readable, dimensions: int) -> Raw:
    shape = _shape(path, file, dimensions)
    elems = math.prod(shape)
    if elems > min(MOST_UNPACKED, MOST_SHRUNK * path.stat().st_size):
        raise DataError(f"{path}: says it holds {elems} bytes, too many to unpack; gunzip it first")
    data = bytearray()
    while len(data) <= elems and (piece := file.read(_PIECE)):
        data += piece
    if len(data) != elems:
        raise _cut_off(path, shape, len(data))
    return np.frombuffer(data, np.uint8).reshape(shape)


def _cut_off(path: Path, shape: tuple[int, ...], size: int) -> DataError:
    return DataError(f"{path}: {size} bytes follow its header, which says {shape}; get it anew")
