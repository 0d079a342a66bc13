"""Training against PyTorch: loss, every gradient, and ten steps of SGD, on torchvision's networks.

A fresh network with batch-norm puts millions of values next to the kink of its ReLUs, where the
last bit of a sum decides whether a gradient passes. There float32 gradients are only known to about
1e-2: PyTorch's own differ by that much from float64 and between memory formats. So gradients are
compared twice: to 1e-4 on networks whose channels are shifted off the kink (three of four always
on, one always off; of a ReLU6's, two on, one off and one saturated), and on fresh networks against
float64, where ours may err as PyTorch's do. A bias before another batch-norm has no gradient but
rounding; it is held to PyTorch's error.
"""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torchvision_models

import pyhpmp
from pyhpmp import local

Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

# Image side at which torchvision's adaptive pooling is an exact one, batch, and a learning rate at
# which ten steps lower the loss clearly before rounding has grown to 1e-3 (in PyTorch as well).
NETWORKS = {
    "resnet18": (64, 8, 2e-4),
    "resnet50": (64, 8, 2e-8),
    "alexnet": (224, 4, 3e-3),
    "vgg16": (224, 1, 2e-4),
    "squeezenet1_1": (64, 8, 3e-3),
    "googlenet": (64, 8, 5e-7),
    "densenet121": (64, 8, 3e-5),
    "mobilenet_v2": (64, 8, 1.5e-6),
}
NORMALISED = ("resnet18", "resnet50", "googlenet", "densenet121", "mobilenet_v2")
CLASSES = 10


def batch_for(name: str) -> tuple[Images, Labels]:
    side, batch, _ = NETWORKS[name]
    random = np.random.default_rng(1)
    images = random.standard_normal((batch, 3, side, side), dtype=np.float32)
    return images, random.integers(0, CLASSES, batch)


def fresh(name: str) -> torch.nn.Module:
    network = torchvision_models.build(name, classes=CLASSES)
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # its masks are its own
    return network.train()


def off_the_kink(network: torch.nn.Module) -> torch.nn.Module:
    bounded = any(isinstance(module, torch.nn.ReLU6) for module in network.modules())
    means = torch.tensor([3.0, 3.0, 11.0, -5.0] if bounded else [5.0, 5.0, 5.0, -5.0])
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            with torch.no_grad():
                module.weight.fill_(0.5)
                module.bias.copy_(means[torch.arange(module.num_features) % 4])
    return network


def torch_step(network: torch.nn.Module, images: torch.Tensor, labels: Labels) -> float:
    network.zero_grad()
    loss = torch.nn.functional.cross_entropy(network(images), torch.from_numpy(labels))
    loss.backward()
    return float(loss.detach())


def exported(network: torch.nn.Module, name: str, folder: Path) -> Path:
    side, batch, _ = NETWORKS[name]
    path = folder / "network.onnx"
    torchvision_models.export(network, "legacy_train", path, image=side, batch=batch)
    network.train()
    return path


def trainer_for(network: torch.nn.Module, name: str, folder: Path) -> pyhpmp.Trainer:
    _, batch, lr = NETWORKS[name]
    path = exported(network, name, folder)
    plan = pyhpmp.plan(pyhpmp.load(path), ranks=1, batch=batch, bn_group=batch)
    return pyhpmp.Trainer(plan, optimizer=pyhpmp.SGD(lr=lr, momentum=0.9))


def errors(grads: dict[str, Images], network: torch.nn.Module) -> dict[str, float]:
    """By parameter: norm of the difference over the norm of the network's own gradient."""
    result = {}
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None
        want = parameter.grad.double().numpy()
        difference = np.linalg.norm(grads[name].reshape(want.shape) - want)
        result[name] = float(difference / np.linalg.norm(want))
    return result


def torch_grads(network: torch.nn.Module) -> dict[str, Images]:
    return {n: p.grad.numpy() for n, p in network.named_parameters() if p.grad is not None}


def channels_last_in(network: torch.nn.Module, images: Images, labels: Labels) -> torch.nn.Module:
    """A copy of the network in channels_last, after a backward pass: PyTorch's other opinion."""
    other = copy.deepcopy(network).to(memory_format=torch.channels_last)
    batch = torch.from_numpy(images).to(memory_format=torch.channels_last)
    torch_step(other, batch, labels)
    return other


def float64_in(network: torch.nn.Module, images: Images, labels: Labels) -> torch.nn.Module:
    exact = copy.deepcopy(network).double()
    torch_step(exact, torch.from_numpy(images).double(), labels)
    return exact


@pytest.mark.parametrize("name", NETWORKS)
def test_loss_and_every_gradient_of_a_step_are_autograds(name: str, tmp_path: Path) -> None:
    network = off_the_kink(fresh(name))
    trainer = trainer_for(network, name, tmp_path)
    images, labels = batch_for(name)
    exact = float64_in(network, images, labels)
    other = errors(torch_grads(channels_last_in(network, images, labels)), exact)
    expected = torch_step(network, torch.from_numpy(images), labels)
    assert trainer.step(images, labels) == pytest.approx(expected, rel=1e-4)
    theirs = errors(torch_grads(network), exact)
    for parameter, error in errors(trainer.engine.grads(), exact).items():
        assert error <= 1e-4 + 3 * max(theirs[parameter], other[parameter]), parameter


@pytest.mark.parametrize(("name", "strategy"), [("resnet18", "filter"), ("densenet121", "data")])
def test_ranks_that_synchronise_the_whole_batchs_statistics_have_autograds_gradients(
    name: str, strategy: str, tmp_path: Path
) -> None:
    network = off_the_kink(fresh(name))
    path = exported(network, name, tmp_path)
    images, labels = batch_for(name)
    batch = len(labels)

    def work(rank: int) -> tuple[float, dict[str, Images]]:
        graph = pyhpmp.load(path)
        plan = pyhpmp.plan(
            graph, batch=batch, strategy=strategy, shards=batch, bn="sync", bn_group=batch
        )
        trainer = pyhpmp.Trainer(plan, optimizer=pyhpmp.SGD(lr=1e-3), threads=1)
        return trainer.step(images, labels), trainer.engine.grads()

    exact = float64_in(network, images, labels)
    other = errors(torch_grads(channels_last_in(network, images, labels)), exact)
    expected = torch_step(network, torch.from_numpy(images), labels)
    theirs = errors(torch_grads(network), exact)
    loss, grads = local.run(4, work)[0]
    assert loss == pytest.approx(expected, rel=1e-4)
    for parameter, error in errors(grads, exact).items():
        assert error <= 1e-4 + 3 * max(theirs[parameter], other[parameter]), parameter


@pytest.mark.parametrize("name", NORMALISED)
def test_on_a_fresh_network_gradients_err_no_more_than_pytorchs(name: str, tmp_path: Path) -> None:
    network = fresh(name)
    trainer = trainer_for(network, name, tmp_path)
    images, labels = batch_for(name)
    exact = float64_in(network, images, labels)
    other = errors(torch_grads(channels_last_in(network, images, labels)), exact)
    torch_step(network, torch.from_numpy(images), labels)
    theirs = errors(torch_grads(network), exact)
    trainer.step(images, labels)
    ours = np.median(list(errors(trainer.engine.grads(), exact).values()))
    assert ours <= 1e-4 + 3 * max(np.median(list(e.values())) for e in (theirs, other))


@pytest.mark.parametrize("name", NETWORKS)
def test_ten_steps_of_sgd_follow_pytorchs_loss(name: str, tmp_path: Path) -> None:
    network = fresh(name)
    trainer = trainer_for(network, name, tmp_path)
    optimizer = torch.optim.SGD(network.parameters(), lr=NETWORKS[name][2], momentum=0.9)
    images, labels = batch_for(name)
    losses = []
    for step in range(10):
        losses.append(torch_step(network, torch.from_numpy(images), labels))
        assert trainer.step(images, labels) == pytest.approx(losses[-1], rel=1e-3), f"step {step}"
        optimizer.step()
    assert losses[-1] < 0.95 * losses[0]
