"""A model file is read with its weights once in memory, however they are stored."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.helper import make_node
from onnx_reference import make_model

import onnx_import

FILE_BYTES = 96 * 2**20


def convolutions(count: int, channels: int) -> onnx.ModelProto:
    """1x1 convolutions in a row."""
    rng = np.random.default_rng(0)
    names = ["x", *(f"v{i}" for i in range(count - 1)), "y"]
    nodes = [make_node("Conv", [names[i], f"w{i}"], [names[i + 1]]) for i in range(count)]
    shape = (channels, channels, 1, 1)
    weights = {f"w{i}": rng.standard_normal(shape, np.float32) for i in range(count)}
    return make_model(nodes, weights, shape=("N", channels, 1, 1))


def test_a_file_and_a_model_in_memory_give_the_same_weights(tmp_path: Path) -> None:
    model = convolutions(4, 40)
    as_floats = model.graph.initializer[1]
    values = onnx.numpy_helper.to_array(as_floats)
    as_floats.CopyFrom(helper.make_tensor("w1", TensorProto.FLOAT, values.shape, values.ravel()))
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    from_file, from_memory = onnx_import.load(path), onnx_import.load(model)
    assert from_file.graph_text == from_memory.graph_text
    assert list(from_file.params) == ["w0", "w1", "w2", "w3"]
    for name, array in from_memory.params.items():
        np.testing.assert_array_equal(from_file.params[name], array)
        assert from_file.params[name].flags.writeable


def test_a_graph_in_two_pieces_reads_like_one(tmp_path: Path) -> None:
    """Protobuf merges the pieces of a message, so files may be written that way."""
    model = convolutions(3, 40)
    piece = onnx.ModelProto()
    piece.graph.initializer.append(model.graph.initializer.pop())
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString() + piece.SerializeToString())
    wanted = onnx_import.load(convolutions(3, 40)).params
    for name, array in onnx_import.load(path).params.items():
        np.testing.assert_array_equal(array, wanted[name])


def test_an_import_takes_little_more_memory_than_the_file(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(convolutions(6, 2048).SerializeToString())
    assert path.stat().st_size > FILE_BYTES
    program = """
import sys, onnx_import
def status(field):
    lines = open("/proc/self/status")
    return 1024 * int(next(line for line in lines if line.startswith(field + ":")).split()[1])
before = status("VmRSS")
imported = onnx_import.load(sys.argv[1])
print(status("VmHWM") - before)
"""
    root = Path(onnx_import.__file__).parents[1]
    result = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert int(result.stdout) < 1.5 * path.stat().st_size
