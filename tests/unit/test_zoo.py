"""The built-in networks have the parameters of their originals, and run."""

from __future__ import annotations

import time

import numpy as np
import onnx
import pytest
import torch
import torchvision_models
from onnx import TensorProto, numpy_helper
from onnx_reference import images_for, random_params, run_onnx, run_oracle
from oracle_graph import OracleGraph

import onnx_import
from onnx_import import ModelError, zoo
from onnx_import.zoo_net import Net

#: Where torchvision has the network under another name.
TORCHVISION = {"squeezenet": "squeezenet1_1"}
OWN = {"lenet5", "resnet20", "resnet56", "unet"}
#: Parameters of the networks that torchvision does not have, running statistics not counted:
#: LeCun's table; He's 0.27 M and 0.85 M plus two projections; the 32x32 variants by layer sums;
#: U-Net with batch-norm as in the much used PyTorch version by milesial.
COUNTS = [
    ("lenet5", {}, 61_706),
    ("resnet20", {}, 272_474),
    ("resnet56", {}, 855_770),
    ("vgg16", {"image": 32}, 14_714_688 + 2 * (512 * 512 + 512) + 5130),
    ("vgg16_bn", {"image": 32}, 14_714_688 + 2 * 4224 + 2 * (512 * 512 + 512) + 5130),
    ("alexnet", {"image": 32}, 23_272_266),
    ("unet", {"classes": 2}, 31_037_698),
]


def shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Trainable parameters and running statistics, without loading weights again."""
    ignored = (".ratio", ".training", ".min", ".max")
    return {t.name: tuple(t.dims) for t in model.graph.initializer if not t.name.endswith(ignored)}


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks are built without drawing up to 140 M weights."""

    def declare(net: Net, name: str, shape: tuple[int, ...], *_: object) -> str:
        net._graph.initializer.add(name=name, data_type=TensorProto.FLOAT, dims=shape)
        return name

    monkeypatch.setattr(Net, "_draw", declare)


@pytest.mark.usefixtures("no_weights")
@pytest.mark.parametrize("name", sorted(set(zoo.names()) - OWN))
def test_parameters_are_those_of_torchvision(name: str) -> None:
    extra = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    with torch.device("meta"):
        module = torchvision_models.models().get_model(
            TORCHVISION.get(name, name), weights=None, **extra
        )
    wanted = {
        key: tuple(tensor.shape)
        for key, tensor in module.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    assert shapes(zoo.build(name)) == wanted


@pytest.mark.usefixtures("no_weights")
@pytest.mark.parametrize(("name", "arguments", "count"), COUNTS)
def test_parameter_count_of_the_small_networks(
    name: str, arguments: dict[str, int], count: int
) -> None:
    model = zoo.build(name, **arguments)
    sizes = [np.prod(s) for key, s in shapes(model).items() if ".running_" not in key]
    assert sum(sizes) == count


SMALL = [
    ("lenet5", {}),
    ("lenet5", {"image": 28}),
    ("resnet20", {}),
    ("resnet20", {"image": 8, "channels": 1}),
    ("resnet18", {"image": 64, "classes": 7}),
    ("resnet50", {"image": 64, "classes": 7}),
    ("alexnet", {"image": 32}),
    ("vgg11", {"image": 32}),
    ("vgg16_bn", {"image": 32}),
    ("squeezenet", {"image": 64, "classes": 7}),
    ("googlenet", {"image": 64, "classes": 7}),
    ("densenet121", {"image": 64, "classes": 7}),
    ("mobilenet_v2", {"image": 64, "classes": 7}),
    ("mobilenet_v2", {"image": 32, "classes": 10}),
]


@pytest.mark.parametrize(("name", "arguments"), SMALL)
def test_network_imports_without_warning_and_runs(name: str, arguments: dict[str, int]) -> None:
    model = zoo.build(name, **arguments)
    onnx.checker.check_model(model, full_check=True)
    imported = onnx_import.load(model)
    assert imported.warnings == []
    assert (imported.input_name, imported.output_names) == ("images", ["logits"])
    images = images_for(imported, batch=2)
    (logits,) = run_oracle(imported, images, random_params(imported))
    assert logits.shape == (2, arguments.get("classes", 10), 1, 1)
    assert np.isfinite(logits).all()


def test_unet_labels_every_pixel() -> None:
    imported = onnx_import.load(zoo.build("unet", image=16, classes=3))
    (logits,) = run_oracle(imported, images_for(imported, batch=2), random_params(imported))
    assert logits.shape == (2, 3, 16, 16)
    assert np.isfinite(logits).all()


@pytest.mark.parametrize("name", ["googlenet", "mobilenet_v2"])
def test_network_computes_what_torchvision_computes(name: str) -> None:
    module = torchvision_models.build(name)
    model = zoo.build(name, classes=10, image=64)
    for tensor in model.graph.initializer:
        if tensor.name in module.state_dict():
            array = module.state_dict()[tensor.name].numpy()
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    imported = onnx_import.load(model)
    images = images_for(imported)
    with torch.no_grad():
        wanted = module(torch.from_numpy(images)).numpy()
    (got,) = run_oracle(imported, images)
    assert abs(got[..., 0, 0] - wanted).max() <= 1e-4 * abs(wanted).max()


def test_equal_seeds_give_equal_bytes_and_others_differ() -> None:
    first, again, other = (zoo.build("lenet5", seed=s).SerializeToString() for s in (1, 1, 2))
    assert first == again
    assert first != other


def test_initial_weights_have_the_variance_of_the_paper() -> None:
    imported = onnx_import.load(zoo.build("resnet18"))
    weight = imported.params["layer4.1.conv2.weight"]
    assert abs(weight.std() / np.sqrt(2 / (512 * 9)) - 1) < 0.01
    assert abs(weight.mean()) < 1e-4
    squeeze = onnx_import.load(zoo.build("squeezenet")).params["features.12.expand3x3.weight"]
    bound = np.sqrt(6 / (64 * 9))
    assert 0.99 * bound < abs(squeeze).max() <= bound
    assert abs(squeeze.std() / (bound / np.sqrt(3)) - 1) < 0.01


def test_signal_neither_vanishes_nor_explodes_in_training() -> None:
    imported = onnx_import.load(zoo.build("resnet20"))
    images = images_for(imported, batch=8)
    values = OracleGraph(imported.graph_text, imported.params).run(images, training=True)
    assert 0.1 < values["logits"].detach().std().item() < 10


def test_vgg16_is_built_in_seconds() -> None:
    start = time.process_time()
    zoo.build("vgg16")
    assert time.process_time() - start < 8  # about 2 s on a machine of its own


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("resnet21", {}, "unknown network 'zoo:resnet21'; did you mean 'resnet20'? known are"),
        ("transformer", {}, "known are alexnet, densenet121"),
        ("alexnet", {"image": 64}, "a map of 1x1, not a multiple of 6x6; use 224"),
        ("vgg16", {"image": 64}, "a map of 2x2, not a multiple of 7x7; use a multiple of 224"),
        ("lenet5", {"image": 8}, "too small: layer 'conv2' has a window of 5 for a map of 4"),
        ("resnet18", {"classes": 0}, "classes 0 must be from 1"),
        ("resnet18", {"image": 10**9}, "image 1000000000 must be from 1"),
    ],
)
def test_what_cannot_be_built_is_explained(
    name: str, arguments: dict[str, int], message: str
) -> None:
    with pytest.raises(ModelError) as caught:
        zoo.build(name, **arguments)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_trained_network_runs_in_onnxruntime(tmp_path: object) -> None:
    imported = onnx_import.load(zoo.build("resnet20"))
    onnx_import.export(imported, random_params(imported), f"{tmp_path}/out.onnx")
    images = images_for(imported)
    (logits,) = run_onnx(onnx.load(f"{tmp_path}/out.onnx"), images)
    assert logits.shape == (3, 10)
