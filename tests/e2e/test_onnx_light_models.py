"""The light models of the onnx package, with random weights, compute what onnxruntime computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx_reference import assert_same, images_for, run_onnx, run_oracle

import onnx_import

FOLDER = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
#: Convolutions of each network, as in the papers' tables; squeezes and projections included.
CONVOLUTIONS = {
    "bvlc_alexnet": 5,
    "densenet121": 121,
    "inception_v1": 57,
    "inception_v2": 69,
    "resnet50": 53,
    "shufflenet": 49,
    "squeezenet": 26,
    "vgg19": 16,
    "zfnet512": 5,
}
#: Residual networks add up; smaller weights keep their softmax away from 0 and 1.
GAINS = {"resnet50": 0.4, "shufflenet": 0.4}
#: float32 sums of up to 25088 products through 19 layers.
TOLERANCE = 1e-4


def refilled(name: str, gain: float) -> onnx.ModelProto:
    """The light model with random initializers in the place of its constant fills."""
    model = onnx.load(FOLDER / f"light_{name}.onnx")
    graph = model.graph
    rng = np.random.default_rng(11)
    shapes = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    slots = {value: slot for node in graph.node for slot, value in enumerate(node.input)}
    variances = {node.input[4] for node in graph.node if node.op_type == "BatchNormalization"}
    kept = []
    for node in graph.node:
        if node.op_type != "ConstantOfShape":
            kept.append(node)
            continue
        shape = tuple(int(d) for d in shapes[node.input[0]])
        value = node.output[0]
        if value in variances:
            array = rng.uniform(0.5, 1.5, shape).astype(np.float32)
        elif len(shape) > 1:
            array = rng.standard_normal(shape, dtype=np.float32)
            array *= np.float32(gain * np.sqrt(2 / np.prod(shape[1:])))
        else:
            # Scales near 1, everything else near 0.
            array = rng.uniform(-0.1, 0.1, shape).astype(np.float32) + (slots[value] == 1)
        graph.initializer.append(numpy_helper.from_array(array.astype(np.float32), value))
    del graph.node[:]
    graph.node.extend(kept)
    model.ir_version = 4
    return model


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_light_model_computes_what_onnxruntime_computes(name: str) -> None:
    model = refilled(name, GAINS.get(name, 0.7))
    imported = onnx_import.load(model)
    assert imported.warnings == []
    assert imported.graph_text.count("\nnode Conv ") == CONVOLUTIONS[name]
    images = images_for(imported)
    wanted = run_onnx(model, images)
    # A saturated softmax would hide errors.
    smaller, largest = np.sort(wanted[0].reshape(-1))[-2:]
    assert smaller > 1e-3 * largest
    assert_same(run_oracle(imported, images), wanted, TOLERANCE)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_constant_fills_import_as_separate_parameters(name: str) -> None:
    imported = onnx_import.load(FOLDER / f"light_{name}.onnx")
    fills = onnx.load(FOLDER / f"light_{name}.onnx").graph.node
    count = sum(node.op_type == "ConstantOfShape" for node in fills)
    assert len(imported.params) >= count
    assert len(imported.bindings) == len(imported.params)
