"""Segmentation networks from PyTorch's exporters: inference, gradients, ranks, and learning."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torchvision_models
from onnx_reference import run_onnx

import pyhpmp
from pyhpmp import local

Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Grads = dict[str, npt.NDArray[np.float64]]

CLASSES, SIDE, BATCH = 5, 64, 4
NETWORKS = (
    "fcn_resnet50",
    "deeplabv3_resnet50",
    "deeplabv3_mobilenet_v3_large",
    "lraspp_mobilenet_v3_large",
    "unet_transposed",
    "unet_resized",
)


class Outputs(torch.nn.Module):
    """A torchvision segmentation network that returns a tuple."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(self.network(x).values())


def double_conv(inputs: int, outputs: int) -> torch.nn.Sequential:
    layers: list[torch.nn.Module] = []
    for channels in (inputs, outputs):
        layers += [
            torch.nn.Conv2d(channels, outputs, 3, padding=1, bias=False),
            torch.nn.BatchNorm2d(outputs),
            torch.nn.ReLU(),
        ]
    return torch.nn.Sequential(*layers)


class UNet(torch.nn.Module):
    """Three scales; upwards by transposed convolutions, or by bilinear resizing."""

    def __init__(self, transposed: bool) -> None:
        super().__init__()
        widths = (8, 16, 32)
        self.down = torch.nn.ModuleList(
            double_conv(a, b) for a, b in zip((3, *widths), widths, strict=False)
        )
        self.up = torch.nn.ModuleList()
        self.join = torch.nn.ModuleList()
        for low, high in ((32, 16), (16, 8)):
            if transposed:
                self.up.append(torch.nn.ConvTranspose2d(low, high, 2, stride=2))
            else:
                resize = torch.nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
                self.up.append(torch.nn.Sequential(resize, torch.nn.Conv2d(low, high, 1)))
            self.join.append(double_conv(2 * high, high))
        self.head = torch.nn.Conv2d(8, CLASSES, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = []
        for block in self.down:
            kept.append(block(x))
            x = torch.nn.functional.max_pool2d(kept[-1], 2)
        x = kept.pop()
        for up, join in zip(self.up, self.join, strict=True):
            x = join(torch.cat([kept.pop(), up(x)], 1))
        return self.head(x)


def built(name: str) -> torch.nn.Module:
    """Off the kink of its activations, so that a last bit decides nothing; without dropout."""
    torch.manual_seed(0)
    if name.startswith("unet"):
        network: torch.nn.Module = UNet(name == "unet_transposed")
    else:
        aux = {} if name.startswith("lraspp") else {"aux_loss": True}
        make = getattr(torchvision_models.models().segmentation, name)
        network = Outputs(make(weights=None, weights_backbone=None, num_classes=CLASSES, **aux))
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.1
            with torch.no_grad():
                module.weight.fill_(0.5)
                module.bias.copy_(
                    torch.tensor([5.0, 5.0, 5.0, -5.0])[torch.arange(module.num_features) % 4]
                )
                module.running_mean.uniform_(-0.1, 0.1)
                module.running_var.uniform_(0.5, 1.5)
    return network


@pytest.fixture(params=NETWORKS, scope="module")
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[torch.nn.Module, Path]:
    """A network, and its file in training form."""
    name = str(request.param)
    network = built(name)
    path = tmp_path_factory.mktemp(name) / "network.onnx"
    torchvision_models.export(network, "legacy_train", path, image=SIDE, batch=BATCH)
    return network, path


def batch() -> tuple[Images, Labels]:
    random = np.random.default_rng(1)
    images = random.standard_normal((BATCH, 3, SIDE, SIDE), dtype=np.float32)
    labels = random.integers(0, CLASSES, (BATCH, SIDE, SIDE))
    labels[random.random(labels.shape) < 0.2] = -1
    labels[0] = -1  # ranks with unequal counts
    return images, labels


def autograd(network: torch.nn.Module, images: Images, labels: Labels) -> tuple[float, Grads]:
    """Loss of all outputs and gradients of one step, in the network's precision."""
    network.zero_grad()
    outputs = network(torch.from_numpy(images).to(next(network.parameters()).dtype))
    heads = outputs if isinstance(outputs, tuple) else (outputs,)
    loss = sum(
        weight * torch.nn.functional.cross_entropy(head, torch.from_numpy(labels), ignore_index=-1)
        for weight, head in zip((1.0, 0.4), heads, strict=False)
    )
    assert isinstance(loss, torch.Tensor)
    loss.backward()
    named = network.named_parameters()
    return float(loss.detach()), {
        n: p.grad.double().numpy() for n, p in named if p.grad is not None
    }


def norm(array: npt.NDArray[np.float64]) -> float:
    return float(np.linalg.norm(array))


def close(mine: npt.NDArray[np.float32], wanted: npt.NDArray[np.float32], share: float) -> None:
    assert mine.shape == wanted.shape
    assert np.abs(mine - wanted).max() <= share * max(np.abs(wanted).max(), 1e-6)


#: The two with ResNets take long; what they are made of is the same in both forms.
FORMS = [(name, "dynamo") for name in NETWORKS]
FORMS += [(name, "legacy_eval") for name in NETWORKS if "resnet" not in name]


def inferred(path: Path, images: Images, ranks: int, strategy: str) -> list[Images]:
    """The engine's outputs; several ranks share out the channels of every layer, or the layers."""

    def work(rank: int) -> list[Images]:
        plan = pyhpmp.plan(pyhpmp.load(path), batch=BATCH, strategy=strategy, training=False)
        return pyhpmp.Session(plan, threads=1).outputs(images)

    return local.run(ranks, work)[0]


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_inference_on_one_and_on_four_ranks_is_onnxruntimes(
    name: str, form: str, tmp_path: Path
) -> None:
    path = tmp_path / "network.onnx"
    torchvision_models.export(built(name).eval(), form, path, image=SIDE)
    images = batch()[0]
    expected = run_onnx(path, images)
    # The 32 channels of the U-Nets are too few for four ranks.
    strategy = "layer" if name.startswith("unet") else "filter"
    for ranks in (1, 4):
        found = inferred(path, images, ranks, strategy)
        for mine, wanted in zip(found, expected, strict=True):
            close(mine, wanted, 1e-4)


def test_every_gradient_is_autograds_on_any_number_of_ranks(
    exported: tuple[torch.nn.Module, Path],
) -> None:
    network, path = exported
    images, labels = batch()
    _, theirs = autograd(copy.deepcopy(network).train(), images, labels)
    expected, exact = autograd(copy.deepcopy(network).train().double(), images, labels)
    graph = pyhpmp.load(path)
    to_onnx = {b.param: b.transform.to_onnx for b in graph.template.bindings}

    def work(rank: int) -> tuple[float, dict[str, Images], pyhpmp.Trainer]:
        plan = pyhpmp.plan(graph, batch=BATCH, bn="sync", bn_group=BATCH, seconds=1)
        trainer = pyhpmp.Trainer(plan, pyhpmp.SGD(lr=1e-3), params=graph.params, threads=1)
        return trainer.step(images, labels), trainer.engine.grads(), trainer

    whole = np.sqrt(sum(norm(grad) ** 2 for grad in exact.values()))
    alone, together = local.run(1, work)[0], local.run(4, work)[0]
    for loss, grads, trainer in (alone, together):
        assert loss == pytest.approx(expected, rel=1e-4)
        assert trainer.scores.counted == (labels >= 0).sum()
        for name, wanted in exact.items():
            # A batch-norm of four pooled pixels leaves PyTorch's own gradients 4% of error; a bias
            # before another batch-norm has none but rounding.
            allowed = 1e-3 * norm(wanted) + 1e-5 * whole + 3 * norm(theirs[name] - wanted)
            assert norm(to_onnx[name](grads[name]) - wanted) <= allowed, name
    assert together[2].scores.mean_iou == alone[2].scores.mean_iou
    assert together[2].scores.correct == alone[2].scores.correct
