"""Files whose images have their channels last, as Keras exports them, built here without Keras."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.helper import make_node
from onnx_reference import (
    Case,
    assert_exported_same,
    assert_imported_same,
    assert_same,
    ints,
    make_model,
    run_onnx,
)

import onnx_import
import pyhpmp

RNG = np.random.default_rng(17)
NHWC, NCHW = [0, 2, 3, 1], [0, 3, 1, 2]


def weight(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape, dtype=np.float32) / np.float32(np.sqrt(np.prod(shape[1:])))


def normalised(name: str, x: str, channels: int) -> tuple[list[onnx.NodeProto], dict[str, object]]:
    """A frozen batch-norm as Keras' exporter spells it out: x * scale + shift."""
    nodes = [
        make_node("Mul", [x, f"{name}.scale"], [f"{name}.mul"]),
        make_node("Add", [f"{name}.mul", f"{name}.shift"], [name]),
    ]
    shape = (1, channels, 1, 1)
    scale = RNG.uniform(0.5, 1.5, shape).astype(np.float32)
    return nodes, {f"{name}.scale": scale, f"{name}.shift": weight(*shape)}


def classifier() -> onnx.ModelProto:
    """A MobileNetV2: strided "same" windows padded at the end alone, depthwise, a residual sum."""
    first, first_weights = normalised("n1", "c1", 8)
    second, second_weights = normalised("n2", "c2", 8)
    nodes = [
        make_node("Transpose", ["x"], ["t"], perm=NCHW),
        make_node("Conv", ["t", "w1"], ["c1"], strides=[2, 2], pads=[0, 0, 1, 1]),
        *first,
        make_node("Clip", ["n1", "zero", "six"], ["r1"]),
        make_node("Pad", ["r1", "border"], ["p1"]),
        make_node("Conv", ["p1", "w2"], ["d1"], group=8, strides=[2, 2], auto_pad="VALID"),
        make_node("Conv", ["d1", "w3"], ["c2"]),
        *second,
        make_node("AveragePool", ["r1"], ["a1"], kernel_shape=[2, 2], strides=[2, 2],
                  auto_pad="SAME_UPPER"),
        make_node("Add", ["n2", "a1"], ["sum"]),
        make_node("GlobalAveragePool", ["sum"], ["g"]),
        make_node("Squeeze", ["g", "pixels"], ["f"]),
        make_node("MatMul", ["f", "w4"], ["m"]),
        make_node("Add", ["m", "b4"], ["logits"]),
        make_node("Softmax", ["logits"], ["y"], axis=-1),
    ]  # fmt: skip
    weights = {"w1": weight(8, 3, 3, 3), "w2": weight(8, 1, 3, 3), "w3": weight(8, 8, 1, 1)}
    weights |= {"w4": weight(8, 5), "b4": weight(5), "border": ints(0, 0, 0, 0, 0, 0, 1, 1)}
    weights |= {"zero": np.float32(0), "six": np.float32(6), "pixels": ints(2, 3)}
    weights |= first_weights | second_weights
    return make_model(nodes, weights, shape=("unk__1", 12, 8, 3))


def scaled_first() -> onnx.ModelProto:
    """Images are brought to mean 0 and variance 1 before they are transposed."""
    nodes = [
        make_node("Mul", ["x", "scale"], ["s"]),
        make_node("Sub", ["s", "mean"], ["m"]),
        make_node("Div", ["m", "deviation"], ["d"]),
        make_node("Transpose", ["d"], ["t"], perm=NCHW),
        make_node("Conv", ["t", "w"], ["c"], auto_pad="SAME_UPPER", strides=[2, 2]),
        make_node("Transpose", ["c"], ["back"], perm=NHWC),
        make_node("ReduceMean", ["back", "pixels"], ["p"], keepdims=0),
        make_node("Gemm", ["p", "k"], ["y"]),
    ]
    weights = {"scale": np.float32(1 / 255), "mean": weight(1, 1, 1, 3), "w": weight(4, 3, 3, 3)}
    weights |= {"deviation": RNG.uniform(0.5, 1.5, (1, 1, 1, 3)).astype(np.float32)}
    return make_model(nodes, weights | {"pixels": ints(1, 2), "k": weight(4, 3)},
                      shape=("N", 9, 8, 3))  # fmt: skip


def gated() -> onnx.ModelProto:
    """Squeeze-and-excitation: pooled, reshaped to one pixel, and transposed on the way."""
    nodes = [
        make_node("Transpose", ["x"], ["t"], perm=NCHW),
        make_node("Conv", ["t", "w"], ["c"], pads=[1] * 4),
        make_node("Sigmoid", ["c"], ["cs"]),
        make_node("Mul", ["c", "cs"], ["a"]),
        make_node("GlobalAveragePool", ["a"], ["g"]),
        make_node("Squeeze", ["g", "pixels"], ["f"]),
        make_node("Reshape", ["f", "one"], ["r"]),
        make_node("Transpose", ["r"], ["rt"], perm=NCHW),
        make_node("Conv", ["rt", "v"], ["e"]),
        make_node("Sigmoid", ["e"], ["s"]),
        make_node("Mul", ["s", "a"], ["m"]),
        make_node("Transpose", ["m"], ["back"], perm=NHWC),
        make_node("Flatten", ["m"], ["flat"]),
        make_node("Gemm", ["flat", "k"], ["y"]),
    ]
    weights = {"w": weight(4, 3, 3, 3), "v": weight(4, 4, 1, 1), "k": weight(4 * 30, 3)}
    return make_model(nodes, weights | {"pixels": ints(2, 3), "one": ints(-1, 1, 1, 4)},
                      shape=("N", 5, 6, 3))  # fmt: skip


def flattened() -> onnx.ModelProto:
    """A Flatten ahead of a dense layer: rows of its weight are pixels first, channels last."""
    nodes = [
        make_node("Transpose", ["x"], ["t"], perm=NCHW),
        make_node("Conv", ["t", "w"], ["c"], pads=[1] * 4),
        make_node("Transpose", ["c"], ["back"], perm=NHWC),
        make_node("Reshape", ["back", "line"], ["f"]),
        make_node("MatMul", ["f", "k"], ["m"]),
        make_node("Add", ["m", "b"], ["r"]),
        make_node("Reshape", ["back", "line"], ["f2"]),
        make_node("Gemm", ["f2", "l"], ["g"], transB=1, alpha=0.5),
        make_node("Add", ["r", "g"], ["y"]),
    ]
    weights = {"w": weight(4, 3, 3, 3), "k": weight(120, 5), "b": weight(5), "l": weight(5, 120)}
    return make_model(nodes, weights | {"line": ints(-1, 120)}, shape=("N", 5, 6, 3))


def cropped() -> onnx.ModelProto:
    """A slice of all samples that ends at 2^31 - 1, as TensorFlow counts."""
    most = 2**31 - 1
    nodes = [
        make_node("Slice", ["x", "from", "to", "axes"], ["s"]),
        make_node("Transpose", ["s"], ["t"], perm=NCHW),
        make_node("Conv", ["t", "w"], ["c"]),
        make_node("GlobalAveragePool", ["c"], ["y"]),
    ]
    weights = {"from": ints(0, 1, 1, 0), "to": ints(most, most, most, most)}
    weights |= {"axes": ints(0, 1, 2, 3), "w": weight(4, 3, 3, 3)}
    return make_model(nodes, weights, shape=("N", 5, 6, 3))


def lines_flattened() -> onnx.ModelProto:
    nodes = [
        make_node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
        make_node("Conv", ["t", "w"], ["c"], pads=[1, 1]),
        make_node("Transpose", ["c"], ["back"], perm=[0, 2, 1]),
        make_node("Flatten", ["back"], ["f"]),
        make_node("Gemm", ["f", "k"], ["y"]),
    ]
    return make_model(nodes, {"w": weight(5, 3, 3), "k": weight(55, 4)}, shape=("N", 11, 3))


def maps() -> onnx.ModelProto:
    """A U-Net's form: scores of every pixel, channels last; and a second output of features."""
    nodes = [
        make_node("Transpose", ["x"], ["t"], perm=NCHW),
        make_node("Conv", ["t", "w"], ["c"], strides=[2, 2], auto_pad="SAME_UPPER"),
        make_node("Resize", ["c", "", "twice"], ["u"], mode="nearest",
                  coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
        make_node("Concat", ["u", "t"], ["cat"], axis=1),
        make_node("Conv", ["cat", "v"], ["e"]),
        make_node("Transpose", ["e"], ["y"], perm=NHWC),
        make_node("ReduceMean", ["y", "pixels"], ["z"], keepdims=0),
    ]  # fmt: skip
    weights = {"w": weight(4, 3, 3, 3), "v": weight(5, 7, 1, 1), "pixels": ints(1, 2)}
    weights |= {"twice": np.float32([1, 1, 2, 2])}
    return make_model(nodes, weights, shape=("N", 6, 8, 3), outputs=("y", "z"))


def lines() -> onnx.ModelProto:
    """A convolution of one axis: steps first, channels last."""
    nodes = [
        make_node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
        make_node("Conv", ["t", "w"], ["c"], pads=[1, 1]),
        make_node("Relu", ["c"], ["r"]),
        make_node("Transpose", ["r"], ["y"], perm=[0, 2, 1]),
    ]
    return make_model(nodes, {"w": weight(5, 3, 3)}, shape=("N", 11, 3))


CASES: dict[str, Case] = {
    "classifier": classifier,
    "scaled first": scaled_first,
    "gated": gated,
    "maps": maps,
    "lines": lines,
    "flattened": flattened,
    "cropped": cropped,
    "lines flattened": lines_flattened,
}


@pytest.mark.parametrize("name", CASES)
def test_a_file_with_channels_last_computes_what_onnxruntime_computes(name: str) -> None:
    assert_imported_same(CASES[name]())


@pytest.mark.parametrize("name", CASES)
def test_its_export_keeps_its_form_and_has_the_given_weights(name: str, tmp_path: Path) -> None:
    model = CASES[name]()
    assert_exported_same(model, tmp_path / "out.onnx")
    exported = onnx.load(tmp_path / "out.onnx").graph
    assert exported.input[0].type == model.graph.input[0].type


@pytest.mark.parametrize("name", CASES)
def test_the_engine_takes_images_of_both_forms_in_any_number(name: str) -> None:
    model = CASES[name]()
    graph = pyhpmp.load(model)
    session = pyhpmp.Session(pyhpmp.plan(graph, ranks=1, batch=4, training=False, seconds=0))
    last = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim][1:]
    channels = last[-1]
    assert graph.input_shape == (channels, *last[:-1], 1)[:3]
    images = RNG.standard_normal((5, *last), dtype=np.float32)
    wanted = run_onnx(model, images)
    assert_same(session.outputs(images), wanted)
    assert_same(session.outputs(np.moveaxis(images, -1, 1)), wanted)
    assert [y.shape for y in session.outputs(images[:0])] == [(0, *w.shape[1:]) for w in wanted]


def test_training_takes_images_of_both_forms() -> None:
    model = classifier()

    def losses(*, last: bool) -> list[float]:
        plan = pyhpmp.plan(pyhpmp.load(model), ranks=1, batch=4, seconds=0)
        trainer = pyhpmp.Trainer(plan, optimizer=pyhpmp.SGD(lr=0.1))
        chance = np.random.default_rng(3)
        images = chance.standard_normal((4, 12, 8, 3), dtype=np.float32)
        labels = chance.integers(0, 5, 4)
        given = images if last else np.ascontiguousarray(np.moveaxis(images, -1, 1))
        return [*(trainer.step(given, labels) for _ in range(3)), *trainer.evaluate(given, labels)]

    assert losses(last=True) == losses(last=False)
    assert losses(last=True)[2] < losses(last=True)[0]


def test_a_file_without_its_batch_norms_is_not_said_to_come_from_pytorch() -> None:
    model = classifier()
    model.producer_name = "tf2onnx"
    (warning,) = onnx_import.load(model).warnings
    assert "folded into 3 convolutions" in warning
    assert "torch" not in warning


def test_a_model_that_neither_form_makes_sense_of_names_the_problems_of_the_better_one() -> None:
    nodes = [*classifier().graph.node, make_node("Det", ["g"], ["z"])]
    model = classifier()
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.graph.output.append(onnx.ValueInfoProto(name="z"))
    with pytest.raises(onnx_import.ModelError, match="1 node not supported: Det"):
        onnx_import.load(model)
