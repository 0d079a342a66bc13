"""The light models of the onnx package, with random weights, compute what onnxruntime computes."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from light_models import FOLDER, refilled
from onnx_reference import assert_same, images_for, run_onnx, run_oracle

import onnx_import
import pyhpmp

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
#: float32 sums of up to 25088 products through 19 layers.
TOLERANCE = 1e-4


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_light_model_computes_what_onnxruntime_computes(name: str) -> None:
    model = refilled(name)
    imported = onnx_import.load(model)
    assert imported.warnings == []
    assert imported.graph_text.count("\nnode Conv ") == CONVOLUTIONS[name]
    images = images_for(imported)
    wanted = run_onnx(model, images)
    # A saturated softmax would hide errors.
    smaller, largest = np.sort(wanted[0].reshape(-1))[-2:]
    assert smaller > 1e-3 * largest
    assert_same(run_oracle(imported, images), wanted, TOLERANCE)
    plan = pyhpmp.plan(pyhpmp.load(model), ranks=1, batch=len(images), training=False, seconds=0)
    assert_same(pyhpmp.Session(plan).outputs(images), wanted, TOLERANCE)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_constant_fills_import_as_separate_parameters(name: str) -> None:
    imported = onnx_import.load(FOLDER / f"light_{name}.onnx")
    fills = onnx.load(FOLDER / f"light_{name}.onnx").graph.node
    count = sum(node.op_type == "ConstantOfShape" for node in fills)
    assert len(imported.params) >= count
    assert len(imported.bindings) == len(imported.params)
