"""Reads a model file into a light template and the arrays of its initializers."""

from __future__ import annotations

import math
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from onnx_import.check import check_names
from onnx_import.errors import ModelError, one_line
from onnx_import.external import ExternalData
from onnx_import.limits import Limits
from onnx_import.wire import WireError, WireFile

#: Initializers up to this size keep their bytes in the template: shapes, ratios, axes.
SMALL_ELEMENTS = 64

_MOST_DIMS = 32
_DTYPES: dict[int, np.dtype[Any]] = {
    onnx.TensorProto.FLOAT: np.dtype("<f4"),
    onnx.TensorProto.DOUBLE: np.dtype("<f8"),
    onnx.TensorProto.FLOAT16: np.dtype("<f2"),
    onnx.TensorProto.INT8: np.dtype("i1"),
    onnx.TensorProto.UINT8: np.dtype("u1"),
    onnx.TensorProto.INT32: np.dtype("<i4"),
    onnx.TensorProto.INT64: np.dtype("<i8"),
    onnx.TensorProto.BOOL: np.dtype("?"),
}


@dataclass
class Source:
    """A parsed model: `model` without the bytes of large initializers, which are in `arrays`."""

    label: str
    model: onnx.ModelProto
    arrays: dict[str, np.ndarray]


def read_model(model: str | os.PathLike[str] | onnx.ModelProto, limits: Limits) -> Source:
    """Reads a file, or takes a ModelProto, which is left as it is.

    Errors: `ModelError` for a missing, truncated or foreign file, or hostile external data.
    """
    if isinstance(model, onnx.ModelProto):
        name = model.graph.name or "unnamed"
        return _source(f"model {name!r}", model, None, None, limits)
    path = Path(os.fspath(model))
    label = repr(str(path))
    try:
        descriptor = _opened(path, label, limits)
    except ModelError:
        raise
    except FileNotFoundError as error:
        raise ModelError(f"cannot read {label}: no such file") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        raise ModelError(f"cannot read {label}: {reason}") from error
    try:
        file = WireFile(descriptor, label, limits.parsed_bytes, 5 * limits.nodes)
        return _source(label, _parse(file, label), file, path.resolve().parent, limits)
    except (WireError, DecodeError) as error:
        # A model's first field is its IR version, a varint with tag 8.
        guess = "is truncated" if os.pread(descriptor, 1, 0) == b"\x08" else "is not an ONNX file"
        raise ModelError(f"cannot read {label}: it {guess}; export the model again") from error
    finally:
        os.close(descriptor)


def _opened(path: Path, label: str, limits: Limits) -> int:
    """A descriptor of a regular file that is not too large."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ModelError(f"cannot read {label}: it is not a regular file")
    if status.st_size > limits.file_bytes:
        raise ModelError(
            f"cannot read {label}: {status.st_size} bytes, at most {limits.file_bytes} are "
            "allowed; export with external data"
        )
    # O_NONBLOCK: should the file have become a FIFO, opening it must not wait for a writer.
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)


def _parse(file: WireFile, label: str) -> onnx.ModelProto:
    model = onnx.ModelProto()
    model.ParseFromString(file.light_model())
    if not model.graph.node or not model.opset_import:
        raise ModelError(f"cannot read {label}: it is not an ONNX model (no nodes or no opset)")
    return model


def _source(
    label: str,
    model: onnx.ModelProto,
    file: WireFile | None,
    folder: Path | None,
    limits: Limits,
) -> Source:
    check_names(label, model)
    if model.graph.sparse_initializer:
        raise ModelError(f"cannot import {label}: sparse initializers are not supported")
    arrays: dict[str, np.ndarray] = {}
    stripped: list[onnx.TensorProto] = []
    with ExternalData(folder, limits) as external:
        for index, tensor in enumerate(model.graph.initializer):
            if tensor.name in arrays:
                raise ModelError(f"cannot import {label}: two initializers {tensor.name!r}")
            span = None if file is None else file.spans[index]
            raw = None if file is None or span is None else file.read(span)
            arrays[tensor.name] = array = tensor_array(tensor, external, raw)
            stripped.append(_stripped(tensor, array))
    return Source(label, _without_weights(model, stripped), arrays)


def tensor_array(
    tensor: onnx.TensorProto,
    external: ExternalData | None = None,
    raw: bytearray | None = None,
) -> np.ndarray:
    """The tensor as a writable array of its own. Errors: `ModelError` on type or size.

    Args:
        raw: its raw_data where the message has been parsed without; the array keeps it.
    """
    dtype = _DTYPES.get(tensor.data_type)
    name = tensor.name
    if dtype is None or tensor.HasField("segment"):
        names = {number: text for text, number in onnx.TensorProto.DataType.items()}
        kind = names.get(tensor.data_type, tensor.data_type) if dtype is None else "a segment"
        raise ModelError(f"tensor {name!r} has type {kind}; weights must be float32")
    n_bytes = _elements(tensor) * dtype.itemsize
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        if external is None:
            raise ModelError(f"tensor {name!r} is an attribute with external data; not supported")
        return external.read(tensor, n_bytes).view(dtype).reshape(tuple(tensor.dims))
    if raw is None and not tensor.HasField("raw_data"):
        return _typed_array(tensor)
    raw = bytearray(tensor.raw_data) if raw is None else raw
    if len(raw) != n_bytes:
        raise ModelError(
            f"tensor {name!r} has {len(raw)} bytes, its shape {list(tensor.dims)} needs {n_bytes}"
        )
    return np.frombuffer(raw, dtype=dtype).reshape(tuple(tensor.dims))


def _typed_array(tensor: onnx.TensorProto) -> np.ndarray:
    """A tensor whose elements are in the field of their type, such as float_data."""
    stored = max(
        len(tensor.float_data),
        len(tensor.double_data),
        len(tensor.int32_data),
        len(tensor.int64_data),
    )
    if stored != _elements(tensor):
        raise ModelError(
            f"tensor {tensor.name!r} has {stored} elements, its shape is {list(tensor.dims)}"
        )
    try:
        return np.array(onnx.numpy_helper.to_array(tensor))
    except (TypeError, ValueError) as error:
        raise ModelError(f"tensor {tensor.name!r} cannot be read: {one_line(error)}") from error


def _elements(tensor: onnx.TensorProto) -> int:
    if any(d < 0 for d in tensor.dims):
        raise ModelError(f"tensor {tensor.name!r} has a negative dimension: {list(tensor.dims)}")
    if len(tensor.dims) > _MOST_DIMS or math.prod(max(d, 1) for d in tensor.dims) >= 2**60:
        raise ModelError(f"tensor {tensor.name!r} has impossible dimensions: {list(tensor.dims)}")
    return math.prod(tensor.dims)


def has_data(tensor: onnx.TensorProto) -> bool:
    """Whether the tensor's elements are in the message itself."""
    stored = tensor.raw_data or tensor.float_data or tensor.int32_data or tensor.int64_data
    return bool(stored or tensor.double_data) or 0 in tensor.dims


def _stripped(tensor: onnx.TensorProto, array: np.ndarray) -> onnx.TensorProto:
    if array.size <= SMALL_ELEMENTS:
        return onnx.numpy_helper.from_array(array, tensor.name)
    light = onnx.TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
    light.doc_string = tensor.doc_string
    return light


def _without_weights(model: onnx.ModelProto, stripped: list[onnx.TensorProto]) -> onnx.ModelProto:
    """A new message: clearing a field of the old one would not give its memory back."""
    light = onnx.ModelProto()
    for field, value in model.ListFields():
        if field.name == "graph" or isinstance(value, bytes):  # bytes: a text that is not UTF-8
            continue
        if hasattr(value, "extend"):
            getattr(light, field.name).extend(value)
        else:
            setattr(light, field.name, value)
    for field, value in model.graph.ListFields():
        if field.name == "initializer":
            light.graph.initializer.extend(stripped)
        elif hasattr(value, "extend"):
            getattr(light.graph, field.name).extend(value)
        elif not isinstance(value, bytes):
            setattr(light.graph, field.name, value)
    return light
