"""Writes a model file so that it is either complete or absent."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
import onnx

#: A protobuf ends at 2 GiB; the graph needs some of it.
EXTERNAL_ABOVE_BYTES = 2**31 - 2**26
_ALIGNMENT = 4096


def write_model(
    model: onnx.ModelProto, arrays: Mapping[str, np.ndarray], path: Path, external_above_bytes: int
) -> None:
    """Writes `model`, whose initializers named in `arrays` have no bytes yet.

    Errors: `OSError`; what was there before is still there then, and nothing else.
    """
    with _Staged() as staged:
        if sum(array.nbytes for array in arrays.values()) <= external_above_bytes:
            for tensor in model.graph.initializer:
                if tensor.name in arrays:
                    tensor.raw_data = _bytes(arrays[tensor.name])
        else:
            data = path.with_name(path.name + ".data")
            staged.write(data, lambda file: _write_external(model, arrays, file, data.name))
        serialized = model.SerializeToString()
        staged.write(path, lambda file: file.write(serialized))
        staged.publish()


def _write_external(
    model: onnx.ModelProto, arrays: Mapping[str, np.ndarray], file: BinaryIO, location: str
) -> None:
    for tensor in model.graph.initializer:
        if tensor.name not in arrays:
            continue
        data = _bytes(arrays[tensor.name])
        file.write(b"\0" * (-file.tell() % _ALIGNMENT))
        fields = {"location": location, "offset": str(file.tell()), "length": str(len(data))}
        file.write(data)
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in fields.items():
            tensor.external_data.add(key=key, value=value)


def _bytes(array: np.ndarray) -> bytes:
    return np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False)).tobytes()


class _Staged:
    """Files that are complete on disk under temporary names before any gets its own."""

    def __init__(self) -> None:
        self._files: list[tuple[Path, Path]] = []

    def __enter__(self) -> _Staged:
        return self

    def write(self, path: Path, write: Callable[[BinaryIO], object]) -> None:
        """Runs `write` on a new file in the folder of `path`."""
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
        self._files.append((temporary, path))
        with temporary.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())

    def publish(self) -> None:
        """Gives the files their names, in the order in which they were written."""
        for temporary, path in self._files:
            os.replace(temporary, path)
        for folder in {path.parent for _, path in self._files}:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def __exit__(self, *exc: object) -> None:
        for temporary, _ in self._files:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
