"""torchvision's networks, in every form that PyTorch exports, import to the network they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision_models
from onnx_reference import assert_same, random_params, run_onnx, run_oracle

import onnx_import

#: Summation order differs from torch's through up to 120 layers; float32.
TOLERANCE = 1e-4

#: The smallest images that the exporters and the networks can take.
IMAGES = {
    "alexnet": 224,
    "vgg16": 224,
    "vgg16_bn": 224,
    "resnet18": 64,
    "resnet50": 64,
    "resnext50_32x4d": 64,
    "squeezenet1_0": 64,
    "squeezenet1_1": 64,
    "googlenet": 64,
    "densenet121": 64,
    "inception_v3": 139,
    "shufflenet_v2_x1_0": 64,
    "mobilenet_v2": 64,
    "efficientnet_b0": 64,
    "convnext_tiny": 64,
}
WIDE = ("alexnet", "vgg16", "vgg16_bn")
#: Published networks at their depth, in some forms; test_torchvision_families.py has every family
#: in every form.
ALL_FORMS = ("resnet18",)
SOME_FORMS = {
    "alexnet": ("legacy_train",),
    "vgg16": ("legacy_eval",),
    "vgg16_bn": ("legacy_train",),
    "resnet50": ("dynamo",),
    "resnext50_32x4d": ("legacy_train",),
    "squeezenet1_0": ("legacy_train",),
    "googlenet": ("legacy_train", "legacy_eval"),
    "densenet121": ("legacy_eval",),
    "inception_v3": ("legacy_train",),
    "shufflenet_v2_x1_0": ("legacy_train", "dynamo_raw"),
    "mobilenet_v2": ("legacy_train",),
    "efficientnet_b0": ("legacy_train",),
    "convnext_tiny": ("legacy_train",),
}
CASES = [(name, form) for name in ALL_FORMS for form in torchvision_models.FORMS]
CASES += [(name, form) for name, forms in SOME_FORMS.items() for form in forms]


def build(name: str) -> torch.nn.Module:
    model = torchvision_models.build(name)
    return torchvision_models.with_narrow_classifier(model) if name in WIDE else model


@pytest.mark.parametrize(("name", "form"), CASES)
def test_exported_network_imports_trains_and_exports(name: str, form: str, tmp_path: Path) -> None:
    model = build(name)
    size = IMAGES[name]
    path = torchvision_models.export(model, form, tmp_path / "model.onnx", image=size)
    imported = onnx_import.load(path)
    images = np.random.default_rng(3).standard_normal((3, 3, size, size), dtype=np.float32)
    with torch.no_grad():
        wanted = model(torch.from_numpy(images)).numpy()
    assert_same(run_oracle(imported, images), [wanted], TOLERANCE)

    trained = random_params(imported, gain=0.8)
    onnx_import.export(imported, trained, tmp_path / "trained.onnx")
    wanted = run_oracle(imported, images, trained)[0]
    assert wanted.std() > 0
    assert_same([wanted], run_onnx(tmp_path / "trained.onnx", images), TOLERANCE)


def test_all_parameters_survive_in_the_training_form_and_the_raw_form(tmp_path: Path) -> None:
    """On a fresh network, where exporters merge equal tensors."""
    model = torchvision_models.build("resnet18", fresh=True)
    wanted = {
        name: tuple(tensor.shape)
        for name, tensor in model.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    for form in ("legacy_train", "dynamo_raw"):
        path = torchvision_models.export(model, form, tmp_path / f"{form}.onnx", image=64)
        imported = onnx_import.load(path)
        assert {name: array.shape for name, array in imported.params.items()} == wanted
        assert imported.warnings == []


@pytest.mark.parametrize("form", ["legacy_eval", "dynamo"])
def test_forms_that_fold_batch_norm_are_warned_about(form: str, tmp_path: Path) -> None:
    model = torchvision_models.build("resnet18")
    path = torchvision_models.export(model, form, tmp_path / "model.onnx", image=64)
    warnings = onnx_import.load(path).warnings
    assert len(warnings) == 1
    assert "looks folded into 20 convolutions" in warnings[0]
    assert "TrainingMode.TRAINING" in warnings[0]


@pytest.mark.parametrize("form", ["legacy_eval", "dynamo"])
def test_networks_that_never_had_batch_norm_are_not_warned_about(form: str, tmp_path: Path) -> None:
    model = torchvision_models.build("squeezenet1_1")
    path = torchvision_models.export(model, form, tmp_path / "model.onnx", image=64)
    assert onnx_import.load(path).warnings == []
