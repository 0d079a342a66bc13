"""What is learned, and the loop around it: the same for every method but for its step.

Same initial weights, global batches in the same order, learning rates, momentum and weight decay;
batch statistics are over batch / ranks samples everywhere. Evaluations are not timed.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from pyhpmp import data
from pyhpmp.commands.schedule import Schedule

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Point = dict[str, float]


@dataclass(frozen=True)
class Task:
    """weights: npz file of the initial weights, by name. shape: of an image. network: of a link.

    method: a strategy of ours, or how PyTorch distributes. meeting: file where its ranks meet.
    """

    model: str
    shape: tuple[int, int, int]
    classes: int
    weights: str
    method: str
    ranks: int
    network: str
    batch: int
    epochs: int
    lr: float
    target: float
    momentum: float = 0.9
    weight_decay: float = 5e-4
    seed: int = 0
    meeting: str = ""
    profile: str | None = None  # of a host, for our planner

    def text(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @staticmethod
    def parse(text: str) -> Task:
        fields = json.loads(text)
        return Task(**fields | {"shape": tuple(fields["shape"])})

    @cached_property
    def data(self) -> data.Dataset:
        return data.load("digits", self.shape, self.classes)

    @property
    def epoch_steps(self) -> int:
        return len(self.data.train) // self.batch

    @property
    def schedule(self) -> Schedule:
        """Cosine, after one epoch of warm-up: hpmp-run's default."""
        steps = self.epochs * self.epoch_steps
        return Schedule("cosine", self.lr, steps, warmup=self.epoch_steps)

    def initial(self) -> dict[str, Floats]:
        with np.load(self.weights) as file:
            return dict(file)

    def batches(self, epoch: int) -> Iterator[tuple[Floats, Labels]]:
        order = data.shuffled(len(self.data.train), self.seed, epoch)
        for step in range(self.epoch_steps):
            chosen = order[step * self.batch : (step + 1) * self.batch]
            yield self.data.batch(self.data.train, chosen)

    def test(self) -> tuple[Floats, Labels]:
        split = self.data.test
        assert split is not None
        return self.data.batch(split, np.arange(len(split)))


def learn(
    task: Task,
    step: Callable[[Floats, Labels, float], Any],
    accuracy: Callable[[], float],
    together: Callable[[], Any],
) -> list[Point]:
    """Trains until the target or the last epoch; collective.

    Args:
        step: of a global batch at a learning rate. accuracy: on the test part, the same figure on
            every rank. together: waits for all ranks.

    Returns:
        A point after every epoch: seconds of training so far, accuracy on the test part.
    """
    schedule, curve, seconds, steps = task.schedule, [], 0.0, 0
    for epoch in range(task.epochs):
        together()
        began = time.perf_counter()
        for images, labels in task.batches(epoch):
            step(images, labels, schedule.rate(steps))
            steps += 1
        together()
        seconds += time.perf_counter() - began
        curve.append({"epoch": epoch + 1, "seconds": seconds, "accuracy": accuracy()})
        if curve[-1]["accuracy"] >= task.target:
            break
    return curve
