"""External weight files, opened only where they cannot lead outside the model's folder."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath

import numpy as np
import onnx

from onnx_import.errors import ModelError
from onnx_import.limits import Limits


class ExternalData:
    """Reads external tensors of one model; files stay open between tensors.

    Refused: absolute paths, `..`, links of either kind, anything but a regular file, and ranges
    outside the file. A tensor's name is never used as a file name.
    """

    def __init__(self, folder: Path | None, limits: Limits) -> None:
        self._folder = folder
        self._left = limits.external_bytes
        self._limit = limits.external_bytes
        self._open: dict[str, int] = {}

    def __enter__(self) -> ExternalData:
        return self

    def __exit__(self, *exc: object) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)

    def read(self, tensor: onnx.TensorProto, n_bytes: int) -> np.ndarray:
        """Returns the tensor's `n_bytes` bytes as a new uint8 array."""
        fields = {entry.key: entry.value for entry in tensor.external_data}
        if not all(isinstance(text, str) for text in fields.values()):
            raise ModelError(f"initializer {tensor.name!r}: its external data is not UTF-8 text")
        location = fields.get("location", "")
        self._left -= n_bytes
        if self._left < 0:
            raise ModelError(
                f"initializer {tensor.name!r} brings the external data above the "
                f"{self._limit} bytes allowed (Limits.external_bytes)"
            )
        descriptor = self._descriptor(tensor.name, location)
        offset = self._range(tensor.name, fields, n_bytes, os.fstat(descriptor).st_size)
        data = np.empty(n_bytes, dtype=np.uint8)
        view = data.data
        done = 0
        while done < n_bytes:
            got = os.preadv(descriptor, [view[done : done + 2**30]], offset + done)
            if got <= 0:
                raise ModelError(f"cannot read external data {location!r}: the file ends early")
            done += got
        return data

    def _range(self, name: str, fields: dict[str, str], n_bytes: int, size: int) -> int:
        try:
            offset = int(fields.get("offset") or 0)
            length = int(fields.get("length") or n_bytes)
        except ValueError as error:
            raise ModelError(
                f"initializer {name!r}: offset and length of external data must be integers"
            ) from error
        if length != n_bytes or offset < 0 or offset + n_bytes > size:
            raise ModelError(
                f"initializer {name!r} needs {n_bytes} bytes at {offset} of external data "
                f"{fields.get('location')!r}, which gives it {length} and has {size}; "
                "the data file is truncated or belongs to another model"
            )
        return offset

    def _descriptor(self, name: str, location: str) -> int:
        if location not in self._open:
            self._open[location] = self._checked_open(name, location)
        return self._open[location]

    def _checked_open(self, name: str, location: str) -> int:
        where = f"initializer {name!r}: external data {location!r}"
        if self._folder is None:
            raise ModelError(f"{where} needs the model's folder; pass the path of the model file")
        parts = PurePosixPath(location).parts
        if not parts or location.startswith("/") or ".." in parts or "\\" in location:
            raise ModelError(f"{where} must be a relative path inside the model's folder")
        path = self._folder / location
        if any(_is_link(self._folder.joinpath(*parts[:i])) for i in range(1, len(parts))):
            raise ModelError(f"{where} leads through a symbolic link; copy the file here")
        try:
            # O_NONBLOCK: opening a FIFO must not wait for a writer.
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except (OSError, ValueError) as error:
            reason = "is a symbolic link" if _is_link(path) else "cannot be opened"
            raise ModelError(f"{where} {reason}; put the file beside the model") from error
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            os.close(descriptor)
            raise ModelError(f"{where} is not a regular file with one name; copy it here")
        return descriptor


def _is_link(path: Path) -> bool:
    """Whether `path` itself is a symbolic link; False for names the system refuses."""
    try:
        return path.is_symlink()
    except (OSError, ValueError):
        return False
