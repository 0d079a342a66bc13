"""Files that are hostile byte by byte, or in what they say of the files beside them."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

from hostile_parts import conv, relu, weight
from onnx import TensorProto


def lies_about_length(path: Path) -> None:
    """A graph field that says it is longer than the file."""
    path.write_bytes(b"\x08\x08\x3a\xff\xff\xff\xff\x07" + bytes(100))


def sparse_file(path: Path, size: int, head: bytes = b"") -> None:
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)


def many_fields(path: Path) -> None:
    """A valid message of empty nodes, more than any network has."""
    body = b"\x0a\x00" * 4_000_000
    length = bytearray()
    rest = len(body)
    while rest > 127:
        length.append(rest & 127 | 128)
        rest >>= 7
    path.write_bytes(b"\x08\x08\x3a" + bytes([*length, rest]) + body)


def random_file(path: Path) -> None:
    path.write_bytes(random.Random(3).randbytes(100_000))


def truncated(part: float) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        data = conv().SerializeToString()
        path.write_bytes(data[: int(len(data) * part)])

    return write


def not_utf8(path: Path) -> None:
    path.write_bytes(relu(name="abcd").SerializeToString().replace(b"abcd", b"\xff\xfe\xfd\xfc"))


def nested_messages(path: Path) -> None:
    """Types within types, deeper than any parser should follow."""
    inner = b""
    for _ in range(2000):
        size, rest = bytearray(), len(inner)
        while rest > 127:
            size.append(rest & 127 | 128)
            rest >>= 7
        inner = b"\x22" + bytes([*size, rest]) + inner  # field 4, as in TypeProto and its like
    path.write_bytes(b"\x08\x08\x3a" + b"\x80\x01" + inner[:128])


#: Written byte by byte.
BYTES: dict[str, tuple[Callable[[Path], None], str]] = {
    "empty file": (lambda path: path.write_bytes(b"") and None, "is not an ONNX"),
    "text": (lambda path: path.write_text("hello, I am not a model\n") and None, "not an ONNX"),
    "random bytes": (random_file, "is not an ONNX|truncated"),
    "truncated in the graph": (truncated(0.3), "truncated"),
    "truncated in the weights": (truncated(0.9), "truncated"),
    "truncated at the end": (truncated(0.999), "truncated"),
    "length beyond the end": (lies_about_length, "truncated"),
    "4 million parts": (many_fields, "too many parts"),
    "name that is not UTF-8": (not_utf8, "UTF-8"),
    "nested messages": (nested_messages, "truncated|not an ONNX"),
    "2 GiB of nothing": (lambda path: sparse_file(path, 2**31), "2147483648 bytes"),
    "just below 2 GiB of nothing": (lambda path: sparse_file(path, 2**31 - 1), "is not an ONNX"),
    "2 GB that are said to be a graph": (
        lambda path: sparse_file(path, 2**31 - 1, b"\x08\x08\x3a\xf7\xff\xff\xff\x07"),
        "truncated",
    ),
    "2 GB that are said to be a description": (
        lambda path: sparse_file(path, 2**31 - 1, b"\x08\x08\x32\xf7\xff\xff\xff\x07"),
        "too large",
    ),
}


def with_external(folder: Path, location: str, **fields: object) -> Path:
    """A model whose weight is said to be in `location`; beside it a secret."""
    (folder / "secret").write_bytes(bytes(2000))
    home = folder / "model"
    home.mkdir()
    model = conv()
    tensor = weight(model)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **fields}.items():
        tensor.external_data.add(key=key, value=str(value))
    path = home / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def fifo(folder: Path) -> Path:
    path = with_external(folder, "data")
    os.mkfifo(path.parent / "data")
    return path


def folder_as_data(folder: Path) -> Path:
    path = with_external(folder, "data")
    (path.parent / "data").mkdir()
    return path


def symbolic_link(folder: Path) -> Path:
    path = with_external(folder, "data")
    (path.parent / "data").symlink_to(folder / "secret")
    return path


def link_to_a_device(folder: Path) -> Path:
    path = with_external(folder, "data")
    (path.parent / "data").symlink_to("/dev/zero")
    return path


def hard_link(folder: Path) -> Path:
    path = with_external(folder, "data")
    (path.parent / "data").hardlink_to(folder / "secret")
    return path


def linked_folder(folder: Path) -> Path:
    path = with_external(folder, "data/secret")
    (path.parent / "data").symlink_to(folder, target_is_directory=True)
    return path


def with_data(n_bytes: int, **fields: object) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = with_external(folder, "data", **fields)
        sparse_file(path.parent / "data", n_bytes)
        return path

    return write


#: With a folder around them.
EXTERNAL: dict[str, tuple[Callable[[Path], Path], str]] = {
    "beside the folder": (lambda f: with_external(f, "../secret"), "inside the model's folder"),
    "beside it by a detour": (lambda f: with_external(f, "a/../../secret"), "inside the model's"),
    "absolute": (lambda f: with_external(f, str(f / "secret")), "inside the model's folder"),
    "a device": (lambda f: with_external(f, "/dev/zero"), "inside the model's folder"),
    "with a NUL": (lambda f: with_external(f, "a\0b"), "cannot be opened"),
    "with a long name": (lambda f: with_external(f, "n" * 10**5), "cannot be opened"),
    "nameless": (lambda f: with_external(f, ""), "inside the model's folder"),
    "the model itself": (lambda f: with_external(f, "."), "inside the model's|regular|opened"),
    "missing": (lambda f: with_external(f, "data"), "cannot be opened"),
    "a FIFO": (fifo, "not a regular file"),
    "a folder": (folder_as_data, "not a regular file"),
    "a symbolic link": (symbolic_link, "symbolic link"),
    "a link to a device": (link_to_a_device, "symbolic link"),
    "a hard link": (hard_link, "not a regular file with one name"),
    "through a linked folder": (linked_folder, "symbolic link"),
    "too short": (with_data(1000), "truncated"),
    "beyond the end": (with_data(1152, offset=4), "truncated"),
    "at a negative offset": (with_data(5000, offset=-1152), "truncated"),
    "at a huge offset": (with_data(5000, offset=2**70), "truncated"),
    "of a huge length": (with_data(5000, length=2**70), "truncated"),
    "of a negative length": (with_data(5000, length=-1), "truncated"),
    "with an offset that is no number": (with_data(5000, offset="0x10"), "integers"),
    "with an offset of a million digits": (with_data(5000, offset="9" * 10**6), "integers"),
}
