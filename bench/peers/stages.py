"""Where a chain of layers is cut into stages of nearly equal time, and what stands at the cuts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import combinations, pairwise
from typing import Any

import torch
from torch import nn

Cuts = tuple[int, ...]


def allowed(layers: Sequence[nn.Module]) -> list[int]:
    """Positions at which a stage may begin: not at a layer that overwrites what it was sent."""
    return [i for i in range(1, len(layers)) if not getattr(layers[i], "inplace", False)]


def bounds(cuts: Cuts, count: int) -> list[tuple[int, int]]:
    """First layer and end of every stage."""
    return list(pairwise((0, *cuts, count)))


def balanced(seconds: Sequence[float], positions: Sequence[int], stages: int) -> Cuts:
    """The cuts whose slowest stage is fastest."""

    def slowest(cuts: Cuts) -> float:
        return max(sum(seconds[a:b]) for a, b in bounds(cuts, len(seconds)))

    return min(combinations(positions, stages - 1), key=slowest)


def neighbours(cuts: Cuts, positions: Sequence[int]) -> list[Cuts]:
    """The same with one cut moved to the next position before or after."""
    found = []
    for i, cut in enumerate(cuts):
        at = positions.index(cut)
        for other in positions[max(at - 1, 0) : at + 2]:
            moved = (*cuts[:i], other, *cuts[i + 1 :])
            if other != cut and list(moved) == sorted(set(moved)):
                found.append(moved)
    return found


def timed(layers: Sequence[nn.Module], images: torch.Tensor, repeats: int = 2) -> list[float]:
    """Seconds of every layer forward and backward, the last of `repeats`."""
    seconds: list[float] = []
    for _ in range(repeats):
        seconds, x = [], images
        for layer in layers:
            began = time.perf_counter()
            x = _both_ways(layer, x)
            seconds.append(time.perf_counter() - began)
    return seconds


def _both_ways(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    given = x.requires_grad_(not getattr(layer, "inplace", False))
    y: torch.Tensor = layer(given)
    if y.requires_grad:
        torch.autograd.backward(y, torch.ones_like(y))
    return y.detach()


class _Formats(torch.autograd.Function):
    """The identity, in one memory format forward and in another backward."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, there: torch.memory_format, back: torch.memory_format
    ) -> torch.Tensor:
        ctx.back = back
        return _formatted(x, there)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return _formatted(grad, ctx.back), None, None


def _formatted(x: torch.Tensor, memory_format: torch.memory_format) -> torch.Tensor:
    is_map = x.dim() == 4
    return x.contiguous(memory_format=memory_format if is_map else torch.contiguous_format)


class Stage(nn.Sequential):
    """Layers that compute in one memory format; gloo sends nothing but contiguous tensors."""

    def __init__(self, layers: Sequence[nn.Module], memory_format: torch.memory_format) -> None:
        super().__init__(*layers)
        self.inside = memory_format
        self.to(memory_format=memory_format)  # type: ignore[call-overload]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        apply: Callable[..., torch.Tensor] = _Formats.apply
        y: torch.Tensor = apply(x, self.inside, torch.contiguous_format)
        for layer in self:
            y = layer(y)
        return apply(y, torch.contiguous_format, self.inside)
