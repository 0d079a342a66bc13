"""Data sets in .npz files; arrays that are stored as they are stay in the file, mapped."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np

from pyhpmp.data.part import Arrays, Raw
from pyhpmp.data.statistics import chunks
from pyhpmp.errors import DataError

Shape = tuple[int, int, int]
_LOCAL_HEADER = struct.Struct("<4s22xHH")  # of a member: signature, length of name, of extra


def open_npz(path: Path, shape: Shape, pixels: tuple[int, ...]) -> tuple[Arrays, Arrays | None]:
    """Training part x, y and test part x_test, y_test, where there is one.

    Args:
        shape: (C, H, W) that x must have. pixels: empty where labels are classes of images, else
            y holds maps, of any size.

    Raises:
        DataError: the file is missing or malformed, or does not fit.
    """
    names = _names(path)
    for name in ("x", "y"):
        if name not in names:
            raise DataError(f"{path}: no array '{name}'; the file needs x and y (x_test, y_test)")
    if ("x_test" in names) != ("y_test" in names):
        raise DataError(f"{path}: x_test and y_test come together or not at all")
    train = part(path, "")
    test = part(path, "_test") if "x_test" in names else None
    _check(path, train, "", shape, pixels)
    if test is not None:
        _check(path, test, "_test", shape, pixels)
    if len(train) == 0:
        raise DataError(f"{path}: x is empty")
    return train, test


def part(path: Path, suffix: str) -> Arrays:
    """One part, on this rank or another."""
    x, y = (_array(path, name + suffix) for name in "xy")
    return Arrays(x, y, str(path), (part, (path, suffix)))


def _names(path: Path) -> set[str]:
    try:
        if not zipfile.is_zipfile(path):
            path.open("rb").close()
            raise DataError(f"{path}: not an .npz file; write it with numpy.savez")
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist()}
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: cannot be read: {error}") from error


def _array(path: Path, name: str) -> Raw:
    """Mapped, so that the ranks of a host share its pages; read where it is compressed."""
    try:
        with zipfile.ZipFile(path) as archive:
            member = archive.getinfo(f"{name}.npy")
            if member.compress_type == zipfile.ZIP_STORED:
                return _mapped(path, member)
        with np.load(path, allow_pickle=False) as file:
            array: Raw = file[name]
            return array
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    except (ValueError, KeyError, zipfile.BadZipFile, EOFError, MemoryError) as error:
        raise DataError(f"{path}: {name} cannot be read: {error}") from error


def _mapped(path: Path, member: zipfile.ZipInfo) -> Raw:
    """Raises ValueError or BadZipFile for a member that is not all there."""
    with path.open("rb") as file:
        file.seek(member.header_offset)
        header = file.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size or not header.startswith(b"PK\3\4"):
            raise zipfile.BadZipFile("no member begins where the file says so")
        _, name, extra = _LOCAL_HEADER.unpack(header)
        begin = file.seek(name + extra, 1)
        shape, column_major, dtype = _array_header(file)
        offset = file.tell()
        elems = int(np.prod(shape, dtype=object))
        if offset - begin + elems * dtype.itemsize != member.file_size:
            raise ValueError(f"{member.file_size} bytes are not {dtype} of shape {shape}")
        if offset + elems * dtype.itemsize > file.seek(0, 2):
            raise zipfile.BadZipFile("the file ends too soon")
    if not elems:
        return np.empty(shape, dtype)
    return np.memmap(path, dtype, "r", offset, shape, "F" if column_major else "C")


def _array_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0}
    shape, column_major, dtype = read.get(version, np.lib.format.read_array_header_2_0)(file)
    if dtype.hasobject:
        raise ValueError("an array of objects holds no numbers")
    return shape, column_major, dtype


def _check(path: Path, part: Arrays, suffix: str, shape: Shape, pixels: tuple[int, ...]) -> None:
    """x and y of one part against each other, the model's input and its output."""
    x, y = part.images, part.labels
    if x.dtype not in (np.dtype(np.uint8), np.dtype(np.float32)):
        raise DataError(f"{path}: x{suffix} is {x.dtype}; it must be uint8 (0..255) or float32")
    if x.ndim != 4 or x.shape[1:] != shape:
        wanted = " x ".join(map(str, shape))
        raise DataError(f"{path}: x{suffix} has shape {x.shape}; the model reads N x {wanted}")
    if y.ndim != 1 + len(pixels) or y.dtype.kind not in "iu":
        wanted = "N x height x width" if pixels else "N"
        raise DataError(
            f"{path}: y{suffix} is {y.dtype} of shape {y.shape}; it must be {wanted} integer class "
            "numbers"
        )
    if len(x) != len(y):
        raise DataError(f"{path}: x{suffix} has {len(x)} samples, y{suffix} has {len(y)}")
    least = min((int(some.min()) for some in chunks(y) if some.size), default=0)
    if least < (-1 if pixels else 0):
        raise DataError(f"{path}: y{suffix} holds {least}; classes start at 0")
    if x.dtype == np.float32 and not all(np.isfinite(some).all() for some in chunks(x)):
        raise DataError(f"{path}: x{suffix} holds values that are not finite")
