"""Reads a serialized model without its weights, which stay in the file until they are asked for.

A protobuf message is a sequence of fields: a varint (number * 8 + wire type), then a varint, 4 or 8
bytes, or a length and that many bytes (developers.google.com/protocol-buffers/docs/encoding).
Parsing a whole model would hold its weights twice.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import onnx

from onnx_import.errors import ModelError

#: Smaller tensors are parsed with the rest of the model.
LARGE_BYTES = 4096
_BLOCK = 2**20
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_GRAPH = onnx.ModelProto.GRAPH_FIELD_NUMBER
_INITIALIZER = onnx.GraphProto.INITIALIZER_FIELD_NUMBER
_RAW_DATA = onnx.TensorProto.RAW_DATA_FIELD_NUMBER


class WireError(Exception):
    """The bytes are no protobuf message, or one that is cut off."""


@dataclass(frozen=True)
class Span:
    """Where in the file the bytes of a tensor are."""

    start: int
    n_bytes: int


@dataclass(frozen=True)
class Field:
    """number: of the field. at: its first byte. start, end: of its content."""

    number: int
    wire: int
    at: int
    start: int
    end: int


class WireFile:
    """An open model file, read in blocks.

    Args:
        descriptor: of a regular file; it stays the caller's.
        light_bytes: that everything but the weights may have.
        fields: that a model's top levels may have.
    """

    def __init__(self, descriptor: int, label: str, light_bytes: int, fields: int) -> None:
        self.size = os.fstat(descriptor).st_size
        self._descriptor, self._label = descriptor, label
        self._bytes_left, self._fields_left = light_bytes, fields
        self._block, self._block_at = b"", 0
        #: By the position of an initializer in its graph; None where it was parsed.
        self.spans: list[Span | None] = []

    def light_model(self) -> bytes:
        """The serialized model without large raw_data of initializers.

        Errors: `WireError`; `ModelError` where what is left is too large.
        """
        parts: list[bytes] = []
        for field in self._fields(0, self.size):
            if field.number == _GRAPH and field.wire == _BYTES:
                parts += _delimited(_GRAPH, self._light_graph(field))
            elif field.number in onnx.ModelProto.DESCRIPTOR.fields_by_number:
                parts.append(self._copied(field.at, field.end))
        return b"".join(parts)

    def read(self, span: Span) -> bytearray:
        """The bytes of a span."""
        data = bytearray(span.n_bytes)
        view, done = memoryview(data), 0
        while done < span.n_bytes:
            got = os.preadv(self._descriptor, [view[done : done + 2**30]], span.start + done)
            if got <= 0:
                raise WireError("the file ends early")
            done += got
        return data

    def _light_graph(self, graph: Field) -> bytes:
        parts: list[bytes] = []
        for field in self._fields(graph.start, graph.end):
            if field.number == _INITIALIZER and field.wire == _BYTES:
                parts += _delimited(_INITIALIZER, self._light_tensor(field))
            elif field.number in onnx.GraphProto.DESCRIPTOR.fields_by_number:
                parts.append(self._copied(field.at, field.end))
        return b"".join(parts)

    def _light_tensor(self, tensor: Field) -> bytes:
        if tensor.end - tensor.start < LARGE_BYTES:
            self.spans.append(None)
            return self._copied(tensor.start, tensor.end)
        parts, span = [], None
        for field in self._fields(tensor.start, tensor.end):
            if field.number == _RAW_DATA and field.wire == _BYTES:
                span = Span(field.start, field.end - field.start)
            else:
                parts.append(self._copied(field.at, field.end))
        self.spans.append(span)
        return b"".join(parts)

    def _fields(self, at: int, end: int) -> Iterator[Field]:
        while at < end:
            self._fields_left -= 1
            if self._fields_left < 0:
                raise ModelError(f"cannot read {self._label}: it has too many parts for a model")
            key, start = self._varint(at)
            number, wire = key >> 3, key & 7
            if wire == _BYTES:
                length, start = self._varint(start)
                stop = start + length
            elif wire == _VARINT:
                stop = self._varint(start)[1]
            elif wire in (_FIXED32, _FIXED64):
                stop = start + (4 if wire == _FIXED32 else 8)
            else:
                raise WireError(f"a field has the wire type {wire}")
            if number == 0 or stop > end:
                raise WireError("a field has no number or does not end")
            yield Field(number, wire, at, start, stop)
            at = stop

    def _varint(self, at: int) -> tuple[int, int]:
        """The number that starts at `at`, and where it ends."""
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte(at)
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value, at
        raise WireError("a number does not end")

    def _byte(self, at: int) -> int:
        index = at - self._block_at
        if not 0 <= index < len(self._block):
            self._block, self._block_at = os.pread(self._descriptor, _BLOCK, at), at
            index = 0
            if not self._block:
                raise WireError("the file ends early")
        return self._block[index]

    def _copied(self, at: int, end: int) -> bytes:
        self._bytes_left -= end - at
        if self._bytes_left < 0:
            raise ModelError(
                f"cannot read {self._label}: it is too large apart from its weights; export with "
                "weights as initializers"
            )
        start = at - self._block_at
        if start >= 0 and end - self._block_at <= len(self._block):
            return self._block[start : start + end - at]
        return bytes(self.read(Span(at, end - at)))


def _delimited(number: int, content: bytes) -> list[bytes]:
    """A length-delimited field."""
    return [_encoded(number << 3 | _BYTES), _encoded(len(content)), content]


def _encoded(value: int) -> bytes:
    """A varint."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
