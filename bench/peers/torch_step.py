"""A PyTorch training step, in each of the ways in which people run it on a CPU or a GPU."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from peers import networks
from peers.job import Job

RATE = 1e-4  # small: the loss of random labels must stay finite
MOMENTUM = 0.9

Tensors = tuple[torch.Tensor, torch.Tensor]


def is_channels_last(variant: str) -> bool:
    return variant.endswith("channels_last")


def prepared(module: nn.Module, job: Job) -> nn.Module:
    """In the memory format and, where asked, compiled form of the variant."""
    if is_channels_last(job.variant):
        module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if "compile" in job.variant:
        warnings.filterwarnings("ignore")
        return torch.compile(module)  # type: ignore[return-value]
    return module


def network(job: Job) -> nn.Module:
    torch.set_num_threads(job.threads)
    if job.device == "cuda":
        torch.backends.cudnn.benchmark = True
        tf32 = job.numerics == "tf32"
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tf32
    return networks.build(job.model, job.image).to(job.device)


def random_batch(job: Job, samples: int, classes: int, seed: int = 1) -> Tensors:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(samples, 3, job.image, job.image, generator=generator)
    if is_channels_last(job.variant):
        images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.randint(classes, (samples,), generator=generator)
    if job.device == "cuda":
        return images.pin_memory(), labels.pin_memory()
    return images, labels


def classes_of(job: Job) -> int:
    return 10 if job.image == networks.SMALL_IMAGE else 1000


def autocast(job: Job) -> contextlib.AbstractContextManager[Any]:
    if job.dtype == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(job.device, dtype=torch.bfloat16)


def optimizer(module: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(module.parameters(), lr=RATE, momentum=MOMENTUM, fused=True)


def training_step(module: nn.Module, batch: Tensors, job: Job) -> Callable[[], float]:
    """Forward, cross entropy, backward and SGD with momentum on one batch; returns the loss.

    On a GPU, images and labels come from (pinned) memory of the host in every step, as ours do.
    """
    sgd = optimizer(module)
    loss_of = nn.CrossEntropyLoss()

    def step() -> float:
        sgd.zero_grad(set_to_none=True)
        images, labels = (part.to(job.device, non_blocking=True) for part in batch)
        with autocast(job):
            loss = loss_of(module(images), labels)
        loss.backward()
        sgd.step()
        return float(loss.detach())

    return step


def facts(job: Job) -> dict[str, Any]:
    """What shows that the network is ours, and which torch ran it."""
    with torch.device("meta"):
        count = sum(p.numel() for p in networks.build(job.model, job.image).parameters())
    return {
        "parameters": count,
        "forward_flops": networks.forward_flops(job.model, job.image),
        "versions": {"torch": torch.__version__},
    }
