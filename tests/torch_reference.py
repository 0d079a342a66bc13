"""PyTorch as the reference of a training step: gradients in float64, and how far float32 is off.

A fresh network with batch-norm puts millions of values next to the kink of its ReLUs, where the
last bit of a sum decides whether a gradient passes. There float32 gradients are only known to about
1e-2: PyTorch's own differ by that much from float64 and between memory formats. So gradients are
compared to float64 with channels shifted off the kink, and may err as PyTorch's do.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.overrides import TorchFunctionMode

Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Grads = dict[str, Images]


def without_dropout(network: torch.nn.Module) -> torch.nn.Module:
    """The network in training mode, without masks: ours are others than PyTorch's."""
    for module in network.modules():
        if type(module).__name__ in ("Dropout", "StochasticDepth"):
            module.p = 0.0
    return network.train()


def off_the_kink(network: torch.nn.Module, spread: float = 0.5) -> torch.nn.Module:
    """Three of four channels of every batch-norm always on, one off; of a ReLU6's one saturated.

    spread: the deviation of every channel, whose mean is 5 at least.
    """
    bounded = any(isinstance(module, torch.nn.ReLU6) for module in network.modules())
    means = torch.tensor([3.0, 3.0, 11.0, -5.0] if bounded else [5.0, 5.0, 5.0, -5.0])
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            with torch.no_grad():
                module.weight.fill_(spread)
                module.bias.copy_(means[torch.arange(module.num_features) % 4])
    return network


def torch_step(network: torch.nn.Module, images: torch.Tensor, labels: Labels) -> float:
    network.zero_grad()
    loss = torch.nn.functional.cross_entropy(network(images), torch.from_numpy(labels))
    loss.backward()
    return float(loss.detach())


def errors(grads: dict[str, Images], network: torch.nn.Module) -> dict[str, float]:
    """By parameter: norm of the difference over the norm of the network's own gradient, if any."""
    result = {}
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None
        want = parameter.grad.double().numpy()
        difference = np.linalg.norm(grads[name].reshape(want.shape) - want)
        result[name] = float(difference / (np.linalg.norm(want) or 1.0))
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


def worst_errors(
    network: torch.nn.Module, images: Images, labels: Labels, exact: torch.nn.Module
) -> tuple[float, dict[str, float]]:
    """The loss of a step, and by parameter what PyTorch's float32 gradients are off `exact`'s.

    The worse of two memory formats.
    """
    other = errors(torch_grads(channels_last_in(network, images, labels)), exact)
    loss = torch_step(network, torch.from_numpy(images), labels)
    own = errors(torch_grads(network), exact)
    return loss, {name: max(own[name], other[name]) for name in own}


class _Gaps(TorchFunctionMode):
    """Watches max pools for how far the largest of a window stands above the next."""

    def __init__(self) -> None:
        super().__init__()
        self.least = float("inf")

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in (torch.nn.functional.max_pool2d, torch.max_pool2d):
            self.least = min(self.least, _least_gap(*args, **(kwargs or {})))
        return func(*args, **(kwargs or {}))


def _least_gap(
    x: torch.Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, *rest: Any, **more: Any
) -> float:
    """Over the windows whose largest is above zero, where a ReLU lets a gradient through."""
    k, s, p = (
        v[0] if isinstance(v, tuple) else v for v in (kernel_size, stride or kernel_size, padding)
    )
    x = torch.nn.functional.pad(x.detach(), [p] * 4, value=-1e9)
    top = x.unfold(2, k, s).unfold(3, k, s).flatten(4).topk(2).values
    gaps = ((top[..., 0] - top[..., 1]) / top[..., 0])[top[..., 0] > 0]
    return float(gaps.min()) if gaps.numel() else float("inf")


def least_gap(network: torch.nn.Module, images: Images) -> float:
    """How clear the closest decision of a max pool is in float64, relative to the larger value."""
    exact = copy.deepcopy(network).double()
    with torch.no_grad(), _Gaps() as gaps:
        exact(torch.from_numpy(images).double())
    return gaps.least
