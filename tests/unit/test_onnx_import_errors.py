"""A model that cannot be used is refused with one clear line, soon, and in little memory."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.helper import make_node
from onnx_reference import make_model

import onnx_import
from onnx_import import ModelError

SECONDS = 5.0


def refused(model: onnx.ModelProto | Path | str) -> str:
    """The message with which `load` refuses; one line, within five seconds."""
    start = time.monotonic()
    with pytest.raises(ModelError) as caught:
        onnx_import.load(model)
    assert time.monotonic() - start < SECONDS
    message = str(caught.value)
    assert "\n" not in message
    assert message
    return message


def relu_model(**changes: object) -> onnx.ModelProto:
    return make_model([make_node("Relu", ["x"], ["y"], name="r")], **changes)  # type: ignore[arg-type]


def one(op: str, *constants: np.ndarray, **attributes: object) -> onnx.ModelProto:
    names = [f"c{i}" for i in range(len(constants))]
    node = make_node(op, ["x", *names], ["y"], name="it", **attributes)
    return make_model([node], dict(zip(names, constants, strict=True)))


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def test_missing_file_is_named(tmp_path: Path) -> None:
    assert refused(tmp_path / "no.onnx").endswith("no.onnx': no such file")


def test_folder_is_refused(tmp_path: Path) -> None:
    assert "not a regular file" in refused(tmp_path)


@pytest.mark.parametrize("part", [0.2, 0.6, 0.95, 0.999])
def test_truncated_file_is_refused(tmp_path: Path, part: float) -> None:
    data = one("Conv", zeros(8, 4, 3, 3)).SerializeToString()
    path = tmp_path / "cut.onnx"
    path.write_bytes(data[: int(len(data) * part)])
    assert re.search("truncated|not an ONNX", refused(path))


@pytest.mark.parametrize("data", [b"", b"hello, I am not a model\n", bytes(range(256)) * 64])
def test_foreign_file_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "foreign.onnx"
    path.write_bytes(data)
    assert "is not an ONNX" in refused(path)


@pytest.mark.parametrize("opset", [1, 5, 999])
def test_opset_out_of_range_is_refused(opset: int) -> None:
    message = refused(relu_model(opset=opset))
    assert f"opset {opset} is outside" in message
    assert "export with opset_version=21" in message


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div"])
@pytest.mark.parametrize("count", [1, 3])
def test_arithmetic_with_too_few_or_too_many_operands_is_refused(op: str, count: int) -> None:
    message = refused(make_model([make_node(op, ["x"] * count, ["y"], name="it")]))
    assert f"{op} 'it': it has {count} operands; it takes 2" in message


def test_all_unsupported_nodes_are_listed_in_one_line() -> None:
    nodes = [
        make_node("NoSuchOp", ["x"], ["a"], name="no_1"),
        make_node("NoSuchOp", ["a"], ["b"], name="no_2"),
        make_node("MaxPool", ["x"], ["p"], name="pool", kernel_shape=[2, 2], dilations=[2, 2]),
        make_node("Sin", ["b"], ["t"]),
        make_node("Sum", ["t", "p"], ["y"]),
    ]
    message = refused(make_model(nodes))
    assert "4 nodes not supported" in message
    assert "NoSuchOp 'no_1', 'no_2': the operator is unknown" in message
    assert "MaxPool 'pool': dilations [2, 2]" in message
    assert "Sin 't': the operator is only supported on constants" in message


def test_old_forms_of_unknown_operators_are_listed_too() -> None:
    nodes = [
        make_node("Crop", ["x"], ["a"], name="crop", border=[1, 1, 1, 1]),
        make_node("NoSuchOp", ["a"], ["y"], name="no"),
    ]
    message = refused(make_model(nodes, opset=7))
    assert "NoSuchOp 'no': the operator is unknown" in message
    assert "Crop 'crop'" in message


def test_operators_of_other_domains_are_listed() -> None:
    node = make_node("FusedConv", ["x"], ["y"], name="f", domain="com.example")
    model = make_model([node])
    model.opset_import.add(domain="com.example", version=1)
    assert "FusedConv 'f': operators of domain 'com.example' are unknown" in refused(model)


def test_control_flow_is_refused_by_name() -> None:
    out = helper.make_tensor_value_info("o", TensorProto.FLOAT, None)
    branch = helper.make_graph([make_node("Relu", ["x"], ["o"])], "then", [], [out])
    node = make_node("If", ["c"], ["y"], name="choice", then_branch=branch, else_branch=branch)
    message = refused(make_model([node], {"c": np.array(True)}))
    assert "If 'choice': control flow is not supported" in message


def test_cyclic_graph_is_refused() -> None:
    nodes = [
        make_node("Add", ["x", "b"], ["a"], name="first"),
        make_node("Relu", ["a"], ["b"]),
        make_node("Relu", ["b"], ["y"]),
    ]
    assert "cyclic graph through node 'first'" in refused(make_model(nodes))


def test_unsorted_nodes_are_sorted() -> None:
    nodes = [make_node("Relu", ["a"], ["y"]), make_node("Relu", ["x"], ["a"])]
    lines = onnx_import.load(make_model(nodes)).graph_text.splitlines()
    assert lines[-3:] == ["node Relu a : x : : a", "node Relu y : a : : y", "output y"]


@pytest.mark.parametrize("op", ["Conv", "Relu", "BatchNormalization"])
def test_a_node_without_outputs_is_left_out(op: str) -> None:
    used, unused = make_node("Relu", ["x"], ["y"]), make_node(op, ["x"], [])
    imported, plain = (onnx_import.load(make_model(n)) for n in ([used, unused], [used]))
    assert imported.graph_text == plain.graph_text


def test_names_with_line_ends_stay_in_one_line() -> None:
    assert "No Such" in refused(make_model([make_node("No\nSuch", ["x"], ["y"])]))


def test_used_second_output_is_named() -> None:
    nodes = [
        make_node("MaxPool", ["x"], ["p", "indices"], name="pool", kernel_shape=[2, 2]),
        make_node("Identity", ["indices"], ["y"]),
    ]
    assert "MaxPool 'pool': its output 1 is used" in refused(make_model(nodes))


def test_bound_that_is_computed_from_the_images_is_named() -> None:
    nodes = [
        make_node("GlobalAveragePool", ["x"], ["m"]),
        make_node("Clip", ["x", "", "m"], ["y"], name="clip"),
    ]
    assert "Clip 'clip': its max is computed from the network's input" in refused(make_model(nodes))


def test_undefined_input_is_named() -> None:
    assert "reads 'ghost', which nothing defines" in refused(
        make_model([make_node("Add", ["x", "ghost"], ["y"], name="sum")])
    )


def test_value_written_twice_is_named() -> None:
    nodes = [make_node("Relu", ["x"], ["y"]), make_node("Relu", ["x"], ["y"])]
    assert "value 'y' is written twice" in refused(make_model(nodes))


BAD_NODES: dict[str, tuple[Callable[[], onnx.ModelProto], str]] = {
    "group 0": (lambda: one("Conv", zeros(8, 4, 3, 3), group=0), "group 0 does not divide"),
    "group 3": (lambda: one("Conv", zeros(9, 1, 3, 3), group=3), "group 3 does not divide"),
    "channels": (lambda: one("Conv", zeros(8, 5, 3, 3)), "does not fit 4 input channels"),
    "kernel": (lambda: one("Conv", zeros(8, 4, 9, 9)), "larger than its padded input"),
    "pads": (lambda: one("Conv", zeros(8, 4, 3, 3), pads=[2**40] * 4), "pads"),
    "strides": (lambda: one("Conv", zeros(8, 4, 3, 3), strides=[0, 1]), "strides [0, 1]"),
    "1-D": (lambda: one("Conv", zeros(8, 4, 3)), "does not fit its input ['N', 4, 6, 6]"),
    "pool pads": (lambda: one("MaxPool", kernel_shape=[2, 2], pads=[2] * 4), "smaller than"),
    "dense": (lambda: one("MatMul", zeros(7, 3)), "(N, features) is needed"),
    "constant": (lambda: one("Mul", zeros(6, 6)), "one number per channel"),
    "softmax": (lambda: one("Softmax", axis=2), "axis 2 must be the channels"),
    "concat": (lambda: one("Concat", zeros(1, 4, 6, 6), axis=1), "must depend on"),
    "batch moved": (lambda: one("Transpose", perm=[2, 3, 0, 1]), "moves the batch"),
    "layer norm": (
        lambda: one("LayerNormalization", zeros(6, 6), axis=2),
        "is not the channels alone",
    ),
    "layer norm without a scale": (
        lambda: make_model(
            [
                make_node("Transpose", ["x"], ["t"], perm=[0, 2, 3, 1]),
                make_node("LayerNormalization", ["t"], ["y"], name="it"),
            ]
        ),
        "it has no scale",
    ),
    "exponent": (lambda: one("Pow", zeros(4, 1, 1)), "its exponent must be one number"),
    "negative slope": (lambda: one("LeakyRelu", alpha=-0.5), "alpha -0.5 must be above 0"),
    "slopes": (lambda: one("PRelu", zeros(6, 1)), "one number per channel"),
    "compared": (lambda: one("Less", zeros(1)), "only random numbers can be compared"),
    "batch": (lambda: one("Reshape", np.array([-1, 12])), "mixes the batch"),
    "double": (lambda: one("Conv", np.zeros((8, 4, 1, 1))), "must be float32"),
    "bounds": (lambda: one("Clip", np.float32(1), np.float32(-1)), "min 1.0 must be at most"),
    "many bounds": (lambda: one("Clip", zeros(4)), "its min must be one number"),
    "mean": (lambda: one("ReduceMean", np.array([0])), "height and width"),
}


@pytest.mark.parametrize("name", BAD_NODES)
def test_bad_node_is_named_with_the_reason(name: str) -> None:
    model, reason = BAD_NODES[name]
    message = refused(model())
    assert "'it'" in message
    assert reason in message


def test_transposed_maps_are_refused_where_a_layer_needs_channels_first() -> None:
    last = make_node("Transpose", ["x"], ["t"], perm=[0, 2, 3, 1])
    pool = make_node("MaxPool", ["t"], ["y"], kernel_shape=[2, 2])
    assert "MaxPool 'y': its input 't' is transposed to NHWC" in refused(make_model([last, pool]))
    flat = make_node("Flatten", ["t"], ["f"], name="flat")
    message = refused(make_model([last, flat, make_node("Relu", ["f"], ["y"])]))
    assert "Relu 'y': its input is flattened while it is transposed to NHWC" in message
    message = refused(make_model([last, flat], outputs=("f",)))
    assert "output 'f': it is flattened while it is transposed to NHWC" in message
    assert "export with channels first" in message


@pytest.mark.parametrize("shape", [("N", 3, "H", "W"), ("N", 3, 2, 4, 4), ("N", 3, 0, 8)])
def test_input_without_fixed_image_size_is_refused(shape: tuple[str | int, ...]) -> None:
    assert "it must be (N, C, H, W)" in refused(relu_model(shape=shape))


def test_two_inputs_are_refused() -> None:
    model = relu_model()
    model.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["N", 1]))
    assert "inputs ['x', 'z']; one is needed" in refused(model)


def test_initializer_whose_bytes_do_not_fit_its_shape_is_named() -> None:
    model = one("Conv", zeros(8, 4, 3, 3))
    model.graph.initializer[0].dims[0] = 2**40
    assert "'c0' has 1152 bytes" in refused(model)


def test_output_that_does_not_depend_on_the_input_is_refused() -> None:
    model = make_model([make_node("Identity", ["c"], ["y"])], {"c": zeros(3)})
    assert "does not depend on the input" in refused(model)


def fill(shape: list[int], *more: onnx.NodeProto) -> onnx.ModelProto:
    nodes = [make_node("ConstantOfShape", ["s"], ["f"], name="bomb"), *more]
    return make_model(nodes, {"s": np.array(shape)})


def doubling_functions(depth: int) -> onnx.ModelProto:
    """Each function calls the one before it twice."""
    opset = [helper.make_opsetid("", 21), helper.make_opsetid("local", 1)]
    functions = []
    for level in range(depth):
        op, domain = (f"f{level - 1}", "local") if level else ("Relu", "")
        body = [make_node(op, ["a"], ["b"], domain=domain),
                make_node(op, ["b"], ["c"], domain=domain)]  # fmt: skip
        functions.append(helper.make_function("local", f"f{level}", ["a"], ["c"], body, opset))
    node = make_node(f"f{depth - 1}", ["x"], ["y"], domain="local")
    return make_model([node], functions=functions)


def recursive_function() -> onnx.ModelProto:
    opset = [helper.make_opsetid("", 21), helper.make_opsetid("local", 1)]
    body = [make_node("f", ["a"], ["b"], domain="local")]
    function = helper.make_function("local", "f", ["a"], ["b"], body, opset)
    return make_model([make_node("f", ["x"], ["y"], domain="local")], functions=[function])


BOMBS: dict[str, Callable[[], onnx.ModelProto]] = {
    "fill": lambda: fill([2**20, 2**20], make_node("Add", ["x", "f"], ["y"])),
    "fill as a weight": lambda: fill([2**27, 4, 1, 1], make_node("Conv", ["x", "f"], ["y"])),
    "sum of fills": lambda: fill(
        [2**30], make_node("Add", ["f", "f"], ["g"]), make_node("Add", ["x", "g"], ["y"])
    ),
    "expand": lambda: fill(
        [1],
        make_node("Constant", [], ["e"], value_ints=[2**15] * 4),
        make_node("Expand", ["f", "e"], ["g"]),
        make_node("Add", ["x", "g"], ["y"]),
    ),
    "range": lambda: make_model(
        [make_node("Range", ["a", "b", "c"], ["r"]), make_node("Add", ["x", "r"], ["y"])],
        {"a": np.array(0), "b": np.array(2**40), "c": np.array(1)},
    ),
    "many channels": lambda: fill([2**16, 4, 1, 1], make_node("Conv", ["x", "f"], ["c"]),
                                  make_node("Flatten", ["c"], ["d"]),
                                  make_node("Concat", ["d"] * 2000, ["y"], axis=1)),
    "doubling functions": lambda: doubling_functions(40),
    "recursive function": recursive_function,
    "a scalar for many channels": lambda: make_model(
        [make_node("Mul", ["x", "c"], ["y"])],
        {"c": np.array(2, np.float32)},
        shape=("N", 2**30, 1, 1),
    ),
    "huge images": lambda: relu_model(shape=("N", 3, 2**40, 2**40)),
    "huge pads": lambda: one("MaxPool", kernel_shape=[2**15] * 2, pads=[2**15 - 1] * 4),
}  # fmt: skip


def test_memory_bombs_are_refused_within_a_gigabyte(tmp_path: Path) -> None:
    for name, model in BOMBS.items():
        (tmp_path / f"{name}.onnx").write_bytes(model().SerializeToString())
    program = """
import sys, time, onnx_import
for path in sys.argv[1:]:
    start = time.monotonic()
    try:
        onnx_import.load(path)
        print("IMPORTED", path)
    except onnx_import.ModelError as error:
        print("refused" if time.monotonic() - start < 5 else "LATE", error)
# Not ru_maxrss: that counts the process which started this one.
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""
    root = Path(onnx_import.__file__).parents[1]
    result = subprocess.run(
        [sys.executable, "-c", program, *sorted(map(str, tmp_path.iterdir()))],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    *lines, peak_kib = result.stdout.splitlines()
    assert [line for line in lines if not line.startswith("refused ")] == []
    assert len(lines) == len(BOMBS)
    assert int(peak_kib) < 2**20


def with_external(folder: Path, location: str, **fields: object) -> Path:
    """A model whose convolution weight is said to be in `location`."""
    model = one("Conv", zeros(8, 4, 3, 3))
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **fields}.items():
        tensor.external_data.add(key=key, value=str(value))
    path = folder / "model" / "model.onnx"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return path


def test_external_data_beside_the_model_is_read(tmp_path: Path) -> None:
    path = with_external(tmp_path, "sub/weights.bin", offset=8, length=1152)
    weights = np.arange(290, dtype=np.float32)
    (path.parent / "sub").mkdir()
    (path.parent / "sub" / "weights.bin").write_bytes(weights.tobytes())
    assert (onnx_import.load(path).params["c0"].reshape(-1) == weights[2:]).all()


@pytest.mark.parametrize("location", ["../secret", "/etc/hostname", "a/../../secret", "", "a\\b"])
def test_external_data_outside_the_folder_is_refused(tmp_path: Path, location: str) -> None:
    (tmp_path / "secret").write_bytes(bytes(1152))
    assert "relative path inside the model's folder" in refused(with_external(tmp_path, location))


def test_external_data_through_links_and_pipes_is_refused(tmp_path: Path) -> None:
    path = with_external(tmp_path, "data")
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(1152))
    data = path.parent / "data"
    data.symlink_to(secret)
    assert "symbolic link" in refused(path)
    data.unlink()
    data.hardlink_to(secret)
    assert "not a regular file with one name" in refused(path)
    data.unlink()
    os.mkfifo(data)
    assert "not a regular file" in refused(path)
    data.unlink()
    data.mkdir()
    assert "not a regular file" in refused(path)
    data.rmdir()
    data.symlink_to(tmp_path, target_is_directory=True)
    assert "symbolic link" in refused(with_external(tmp_path, "data/secret"))


def test_missing_or_short_external_data_is_refused(tmp_path: Path) -> None:
    path = with_external(tmp_path, "data")
    assert "cannot be opened" in refused(path)
    (path.parent / "data").write_bytes(bytes(1000))
    assert "truncated" in refused(path)
    (path.parent / "data").write_bytes(bytes(1152))
    assert "truncated" in refused(with_external(tmp_path, "data", offset=-4))
    assert "truncated" in refused(with_external(tmp_path, "data", length=4))
    assert "integers" in refused(with_external(tmp_path, "data", offset="x"))


def test_external_data_of_a_model_in_memory_asks_for_the_path(tmp_path: Path) -> None:
    model = onnx.load(with_external(tmp_path, "data"), load_external_data=False)
    assert "pass the path of the model file" in refused(model)
