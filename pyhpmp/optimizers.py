"""The optimizers, as values: what `Trainer.optimizer` is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pyhpmp import _core
from pyhpmp.errors import InvalidArgumentError


@dataclass(frozen=True)
class SGD:
    """g = grad + weight_decay * w; m = momentum * m + g; w = w - lr * m. As torch.optim.SGD."""

    kind: ClassVar[str] = "sgd"

    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 0.0


@dataclass(frozen=True)
class AdamW:
    """Adam with weight decay apart from the gradient (Loshchilov and Hutter 2019).

    w = w * (1 - lr * weight_decay); m, v = means of grad and its square, by betas and corrected for
    their start; w = w - lr * m / (sqrt(v) + eps). As torch.optim.AdamW.
    """

    kind: ClassVar[str] = "adamw"

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.01


Optimizer = SGD | AdamW
_BY_KIND: dict[str, type[Optimizer]] = {SGD.kind: SGD, AdamW.kind: AdamW}


def usual(kind: str) -> Optimizer:
    """The optimizer of that kind with its default settings. Raises InvalidArgumentError."""
    return _BY_KIND[checked_kind(kind)]()


def checked_kind(kind: str) -> str:
    """Raises InvalidArgumentError where there is no such optimizer."""
    if kind not in _core.OPTIMIZERS:
        raise InvalidArgumentError(
            f"unknown optimizer '{kind}'; use one of {', '.join(_core.OPTIMIZERS)}"
        )
    return kind
