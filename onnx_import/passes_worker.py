"""Runs the passes of ONNX's native library, which a malformed model can crash; see passes.py.

Reads a line `name argument length` and that many bytes, answers `ok length` or `error length` and
as many, until there is no more.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable

import onnx
from onnx import inliner, shape_inference, version_converter

ADDRESS_BYTES = 8 * 2**30

PASSES: dict[str, Callable[[onnx.ModelProto, int], onnx.ModelProto]] = {
    "inline": lambda model, _: inliner.inline_local_functions(model),
    "convert": version_converter.convert_version,
    "infer": lambda model, _: shape_inference.infer_shapes(model),
}


def answer(name: str, argument: int, data: bytes) -> tuple[str, bytes]:
    try:
        model = PASSES[name](onnx.ModelProto.FromString(data), argument)
        return "ok", model.SerializeToString()
    except Exception as error:  # the passes raise plain RuntimeErrors of their own
        return "error", (str(error) or type(error).__name__).encode("utf-8", "replace")


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_BYTES, ADDRESS_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever the library prints must not stand between the answers
    for line in iter(sys.stdin.buffer.readline, b""):
        name, argument, length = line.decode().split()
        verdict, data = answer(name, int(argument), sys.stdin.buffer.read(int(length)))
        answers.write(f"{verdict} {len(data)}\n".encode() + data)
        answers.flush()


if __name__ == "__main__":
    main()
