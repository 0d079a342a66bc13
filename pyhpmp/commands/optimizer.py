"""The optimizer that the flags of a training run ask for."""

from __future__ import annotations

import argparse

from pyhpmp import AdamW, Plan
from pyhpmp.errors import InvalidArgumentError
from pyhpmp.optimizers import SGD, Optimizer

# Of sgd. Without batch normalization the usual rate is too high to learn at all.
LR_WITH_BATCH_NORM, LR_WITHOUT = 0.1, 0.02
WEIGHT_DECAY = 5e-4  # of sgd
FLAGS = {"momentum": "sgd", "betas": "adamw", "eps": "adamw"}


def check_optimizer_flags(arguments: argparse.Namespace) -> None:
    """Raises InvalidArgumentError for a flag of another optimizer."""
    for name, kind in FLAGS.items():
        if getattr(arguments, name) is not None and arguments.optimizer != kind:
            raise InvalidArgumentError(
                f"--{name} is of --optimizer {kind}; it has no use with {arguments.optimizer}"
            )


def optimizer_of(arguments: argparse.Namespace, plan: Plan) -> Optimizer:
    """With the rate at its highest; what no flag says is as usual."""
    said = {name: getattr(arguments, name) for name in (*FLAGS, "lr", "weight_decay")}
    given = {name: value for name, value in said.items() if value is not None}
    if arguments.optimizer == AdamW.kind:
        return AdamW(**given)
    return SGD(**({"lr": _default_lr(plan), "weight_decay": WEIGHT_DECAY} | given))


def _default_lr(plan: Plan) -> float:
    normalized = any(param.role == "running_mean" for param in plan.prepared.params)
    return LR_WITH_BATCH_NORM if normalized else LR_WITHOUT
