"""How long and how fast to train: what the flags and the data make of each other."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from pyhpmp import Plan
from pyhpmp.commands.optimizer import optimizer_of
from pyhpmp.commands.schedule import Schedule
from pyhpmp.data import SYNTHETIC, Dataset
from pyhpmp.errors import DataError
from pyhpmp.optimizers import Optimizer

DEFAULT_EPOCHS = 10
SYNTHETIC_STEPS = 20


@dataclass(frozen=True)
class Recipe:
    """steps: in all; epoch_steps: between evaluations; data_steps: of one pass over the data.

    optimizer: with the highest rate of the schedule."""

    steps: int
    epoch_steps: int
    data_steps: int
    schedule: Schedule
    optimizer: Optimizer
    target_accuracy: float | None
    seed: int
    augment: str = "none"

    @property
    def epochs(self) -> int:
        return -(-self.steps // self.epoch_steps)


def recipe_of(arguments: argparse.Namespace, data: Dataset, plan: Plan) -> Recipe:
    """Raises DataError where the data fill no batch, or have nothing to reach a target on."""
    batch = plan.batch
    data_steps = len(data.train) // batch
    if data_steps == 0:
        raise DataError(
            f"data '{data.name}' has {len(data.train)} training samples, fewer than one batch of "
            f"{batch}; use a smaller --batch"
        )
    if arguments.target_accuracy is not None and data.test is None:
        raise DataError(f"data '{data.name}' has no test part to measure --target-accuracy on")
    steps = _steps(arguments, data, data_steps)
    warmup = min(round(arguments.warmup * data_steps), steps // 2)
    optimizer = optimizer_of(arguments, plan)
    return Recipe(
        steps,
        steps if data.name == SYNTHETIC else data_steps,
        data_steps,
        Schedule(arguments.schedule, optimizer.lr, steps, warmup),
        optimizer,
        arguments.target_accuracy,
        arguments.seed,
        arguments.augment,
    )


def _steps(arguments: argparse.Namespace, data: Dataset, data_steps: int) -> int:
    if arguments.steps is not None:
        return int(arguments.steps)
    if arguments.epochs is not None:
        return int(arguments.epochs) * data_steps
    return SYNTHETIC_STEPS if data.name == SYNTHETIC else DEFAULT_EPOCHS * data_steps
