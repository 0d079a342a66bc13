"""CIFAR-10, binary version: files of records, one byte of class and 3 x 32 x 32 of image."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np

from pyhpmp.data.part import Cut, Part, Raw, within
from pyhpmp.data.statistics import chunks
from pyhpmp.errors import DataError

CLASSES, SHAPE = 10, (3, 32, 32)
_RECORD = 1 + 3 * 32 * 32
_HINT = "unpack cifar-10-binary.tar.gz, with data_batch_1.bin and test_batch.bin"


class CifarFiles(Part):
    """paths: of the files, which are mapped; samples are numbered through them."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths

    def __reduce__(self) -> tuple[type[CifarFiles], tuple[list[Path]]]:
        return CifarFiles, (self.paths,)

    @cached_property
    def _records(self) -> list[Raw]:
        return [_mapped(path) for path in self.paths]

    @cached_property
    def _ends(self) -> Raw:
        return np.cumsum([len(records) for records in self._records])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def image(self, index: int, cut: Cut | None = None) -> Raw:
        return within(self._record(index)[1:].reshape(SHAPE), cut)

    def size(self, index: int) -> tuple[int, int]:
        return SHAPE[1:]

    def label(self, index: int) -> Raw:
        return np.asarray(self._record(index)[0])

    def name(self, index: int) -> str:
        file, record = self._place(index)
        return f"{self.paths[file]}, record {record}"

    def pixels(self) -> Iterator[Raw]:
        """Of all images, a few at a time."""
        for records in self._records:
            yield from (some[:, 1:] for some in chunks(records))

    def check(self) -> None:
        """Raises DataError naming a record whose class is none."""
        for path, records in zip(self.paths, self._records, strict=True):
            wrong = np.flatnonzero(records[:, 0] >= CLASSES)
            if wrong.size:
                raise DataError(
                    f"{path}: record {wrong[0]} has class {records[wrong[0], 0]}; CIFAR-10 has "
                    f"0..{CLASSES - 1}: is it another file? {_HINT}"
                )

    def _record(self, index: int) -> Raw:
        file, record = self._place(index)
        return self._records[file][record]  # type: ignore[no-any-return]

    def _place(self, index: int) -> tuple[int, int]:
        file = int(np.searchsorted(self._ends, index, side="right"))
        return file, index - (int(self._ends[file - 1]) if file else 0)


def open_cifar10(path: Path) -> tuple[CifarFiles, CifarFiles | None]:
    """`data_batch_*.bin`, and `test_batch.bin` where there is one.

    Raises:
        DataError: no such files, the pickled version, a file that is cut off, or a wrong class.
    """
    if not path.is_dir():
        raise DataError(f"{path}: no such folder; {_HINT}")
    found = sorted(path.glob("data_batch_*.bin"))
    if not found and (path / "data_batch_1").exists():
        raise DataError(f"{path}: the pickled version of CIFAR-10 is not read; {_HINT}")
    if not found:
        raise DataError(f"{path}: no data_batch_*.bin; {_HINT}")
    test = path / "test_batch.bin"
    parts = CifarFiles(found), CifarFiles([test]) if test.exists() else None
    for part in parts:
        if part is not None:
            part.check()
    return parts


def _mapped(path: Path) -> Raw:
    try:
        size = path.stat().st_size
        if size == 0 or size % _RECORD:
            raise DataError(f"{path}: {size} bytes are not whole records of {_RECORD}; {_HINT}")
        return np.memmap(path, np.uint8, "r").reshape(-1, _RECORD)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
