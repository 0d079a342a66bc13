"""The training loop: epochs of shuffled batches, an evaluation after each."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from pyhpmp import Trainer
from pyhpmp.commands.checkpoints import Checkpoints
from pyhpmp.commands.recipe import Recipe
from pyhpmp.commands.scalars import Scalars
from pyhpmp.commands.terminal import Reporter
from pyhpmp.data import Feed, Part, in_order, look_of, shuffled
from pyhpmp.records import PASSAGES
from pyhpmp.report.measured import Trace, no_trace
from pyhpmp.scores import Scores


@dataclass
class Outcome:
    """steps: of the run, and of those that it goes on from. accuracy: on the test part; of maps
    also mean_iou, the mean over classes of intersection over union.

    waited_seconds: for training batches, between steps.
    sent_bytes: by this rank in training steps alone, by PASSAGES. trace: of this rank's last
    training step; empty where the trainer keeps none.
    """

    steps: int = 0
    final_loss: float | None = None
    accuracy: float | None = None
    mean_iou: float | None = None
    step_seconds: list[float] = field(default_factory=list)
    waited_seconds: float = 0.0
    sent_bytes: npt.NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(len(PASSAGES), np.int64)
    )
    target_seconds: float | None = None
    trace: Trace = field(default_factory=no_trace)


class Loop:
    """Trains with a recipe; the same on every rank, `reporter` speaks on rank 0 only."""

    def __init__(
        self,
        trainer: Trainer,
        feed: Feed,
        recipe: Recipe,
        reporter: Reporter,
        checkpoints: Checkpoints,
        scalars: Scalars,
    ) -> None:
        self.trainer, self.feed, self.recipe, self.reporter = trainer, feed, recipe, reporter
        self.checkpoints, self.scalars = checkpoints, scalars
        self.outcome = Outcome(trainer.steps)
        self._began = time.perf_counter()

    def run(self) -> Outcome:
        """Ends after the recipe's steps, or when the target accuracy is reached."""
        with self.reporter.progress(self.recipe.steps):
            for epoch in range(self.outcome.steps // self.recipe.epoch_steps, self.recipe.epochs):
                self._epoch(epoch)
                if self._evaluated(epoch):
                    break
        return self.outcome

    def _epoch(self, epoch: int) -> None:
        self.trainer.engine.reset_counters()
        data, recipe = self.feed.data, self.recipe
        look = look_of(recipe.augment, recipe.seed, epoch, data.transform.shape)
        with closing(self.feed.batches(data.train, self._choices(epoch), look)) as batches:
            asked = time.perf_counter()
            for images, labels in batches:
                self.outcome.waited_seconds += time.perf_counter() - asked
                self._step(images, labels)
                asked = time.perf_counter()
        self.outcome.trace = self.trainer.engine.core.trace()  # an evaluation has one of its own
        self.outcome.sent_bytes += self.trainer.engine.core.sent_bytes()

    def _choices(self, epoch: int) -> Iterator[npt.NDArray[np.int64]]:
        """Samples of each of the epoch's steps that are still to be made."""
        batch, recipe = self.feed.batch, self.recipe
        order = shuffled(len(self.feed.data.train), recipe.seed, epoch)
        first = self.outcome.steps % recipe.epoch_steps
        last = min(recipe.epoch_steps, first + recipe.steps - self.outcome.steps)
        for position in range(first, last):
            start = position % recipe.data_steps * batch
            yield order[start : start + batch]

    def _step(self, images: object, labels: object) -> None:
        rate = self.recipe.schedule.rate(self.outcome.steps)
        self.trainer.optimizer = replace(self.recipe.optimizer, lr=rate)
        began = time.perf_counter()
        loss = self.trainer.step(images, labels)
        seconds = time.perf_counter() - began
        self.outcome.step_seconds.append(seconds)
        self.outcome.steps += 1
        self.outcome.final_loss = loss
        accuracy = self.trainer.scores.accuracy
        speed = self.trainer.plan.batch / seconds
        self.reporter.step(self.outcome.steps, loss, accuracy, speed)
        self.scalars.step(self.outcome.steps, loss, accuracy, rate, speed)
        self.checkpoints.after(self.trainer, last=self.outcome.steps == self.recipe.steps)

    def _evaluated(self, epoch: int) -> bool:
        """Measures the test part, if there is one; whether the target is reached."""
        if self.feed.data.test is not None:
            scores = self._scores(self.feed.data.test)
            self.outcome.accuracy, self.outcome.mean_iou = scores.accuracy, scores.mean_iou
            self.scalars.test(self.outcome.steps, scores)
        self.reporter.epoch(
            epoch + 1, self.recipe.epochs, self.outcome.accuracy, self.outcome.mean_iou
        )
        target = self.recipe.target_accuracy
        if target is None or self.outcome.accuracy is None or self.outcome.accuracy < target:
            return False
        self.outcome.target_seconds = time.perf_counter() - self._began
        return True

    def _scores(self, part: Part) -> Scores:
        with closing(self.feed.batches(part, in_order(len(part), self.feed.batch))) as batches:
            return sum((self.trainer.evaluate_batch(*batch) for batch in batches), Scores())
