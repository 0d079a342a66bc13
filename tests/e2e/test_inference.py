"""Inference by the engine, on one and on three ranks, gives what onnxruntime gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torchvision_models
from light_models import LIGHT_MODELS, refilled
from onnx_reference import assert_same, run_onnx

import pyhpmp
from pyhpmp import local

TOLERANCE = 1e-4
# Forms that carry running statistics, folded or not, and the images' side.
EXPORTS = [
    ("resnet18", "legacy_eval", 64),
    ("resnet18", "dynamo_raw", 64),
    ("resnet50", "dynamo", 64),
    ("squeezenet1_1", "dynamo", 64),
    ("googlenet", "legacy_eval", 64),
    ("densenet121", "legacy_eval", 64),
    ("resnext50_32x4d", "dynamo_raw", 64),
    ("alexnet", "legacy_eval", 224),
]


def inferred(path: Path, images: npt.NDArray[np.float32], ranks: int) -> npt.NDArray[np.float32]:
    """The engine's outputs; several ranks share out the channels of every layer."""

    def work(rank: int) -> npt.NDArray[np.float32]:
        graph = pyhpmp.load(path)
        plan = pyhpmp.plan(graph, batch=3, strategy="filter", training=False)
        return pyhpmp.Session(plan, threads=1)(images)

    results = local.run(ranks, work)
    assert all(np.array_equal(result, results[0]) for result in results)
    return results[0]


@pytest.mark.parametrize("name", LIGHT_MODELS)
def test_light_models_with_random_weights(name: str, tmp_path: Path) -> None:
    model = refilled(name)
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    # The files fix the batch at 1.
    images = np.random.default_rng(5).standard_normal((1, 3, 224, 224), dtype=np.float32)
    wanted = run_onnx(model, images)
    for ranks in (1, 3):
        assert_same([inferred(path, images, ranks)], wanted, TOLERANCE)


@pytest.mark.parametrize(("name", "form", "side"), EXPORTS)
def test_exported_networks(name: str, form: str, side: int, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    torchvision_models.export(torchvision_models.build(name), form, path, image=side)
    images = np.random.default_rng(6).standard_normal((5, 3, side, side), dtype=np.float32)
    wanted = run_onnx(path, images)
    for ranks in (1, 3):
        assert_same([inferred(path, images, ranks)], wanted, TOLERANCE)
