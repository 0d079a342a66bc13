"""The trainer: one engine per rank, fed with global batches."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from pyhpmp import model_files, optimizers, world
from pyhpmp.checkpoint import Checkpoint, check_optimizer
from pyhpmp.engine import DEFAULT_TIMEOUT, RankEngine
from pyhpmp.errors import DivergenceError, InvalidArgumentError
from pyhpmp.files import check_writable
from pyhpmp.graph import Params
from pyhpmp.optimizers import Optimizer
from pyhpmp.plans import Plan
from pyhpmp.scores import Scores


class Trainer:
    """Trains the model of a plan; every method is collective.

    Args:
        plan: from `pyhpmp.plan`, for as many ranks as run.
        optimizer: by default the plan's with its usual settings; may be replaced between steps by
            one of its kind, for instance with another rate.
        params: initial weights on rank 0; by default the model's.
        keep_weights: False empties `params` (or the model's) as the engine takes them: rank 0 holds
            no second copy, and another trainer needs weights of its own.
        label_smoothing: share of a label that the loss of training steps spreads over all classes
            (Szegedy et al. 2015), as in torch.nn.CrossEntropyLoss; from 0 to 1. `evaluate` knows
            nothing of it: its loss is the cross-entropy.
        seed: of dropout. threads: of this rank; 0 for its share of the cores.
        trace: keep the times of the last step's instructions.
        timeout: seconds that a rank waits for another in a step, before it fails.
        device: cpu, cuda or auto. numerics: fp32 or tf32. As in `RankEngine`.

    Attributes:
        steps: how many were made. scores: of the last step's batch, before the step.
        host_seconds: in which this rank's host gave out the last step's work (on a CPU: did it).
    """

    def __init__(
        self,
        plan: Plan,
        optimizer: Optimizer | None = None,
        *,
        params: Params | None = None,
        keep_weights: bool = True,
        label_smoothing: float = 0.0,
        seed: int = 0,
        threads: int = 0,
        trace: bool = False,
        timeout: float = DEFAULT_TIMEOUT,
        device: str = "auto",
        numerics: str = "fp32",
    ) -> None:
        if not plan.core.training:
            raise InvalidArgumentError("the plan is for inference; plan with training=True")
        self.optimizer = optimizer or optimizers.usual(plan.core.optimizer)
        self.plan = plan = plan.for_optimizer(self.optimizer.kind)
        self.steps = 0
        self.scores = Scores()
        self.host_seconds = 0.0
        self._loaded = plan.graph.params if params is None else params
        self.engine = RankEngine(
            plan,
            self._loaded,
            keep_weights=keep_weights,
            seed=seed,
            threads=threads,
            trace=trace,
            timeout=timeout,
            device=device,
            numerics=numerics,
            label_smoothing=label_smoothing,
        )

    def step(self, images: Any, labels: Any) -> float:
        """One step on a global batch, the same on every rank; returns the loss.

        That is the mean over the labels that count, smoothed as they are; of several outputs, their
        weighted sum. Images of samples that `Plan.reads` does not name for this rank may hold
        anything.

        Args:
            images: (batch, C, H, W) float32, C order, CPU; anything with `__dlpack__`. Of a file
                with channels last also (batch, H, W, C).
            labels: (batch), or (batch, H, W) of the output where that is of maps; int64, likewise;
                -1 is left out of the loss.

        Raises:
            DivergenceError: the loss is not finite, on every rank.
            InvalidArgumentError: the optimizer is of another kind than the trainer began with.
        """
        images = self.plan.graph.form.images(images, self.plan.graph.input_shape)
        result = self.engine.core.train_step(
            images, labels, optimizer=self.optimizer.kind, **asdict(self.optimizer)
        )
        loss, self.scores = result.loss, Scores.of(result)
        self.host_seconds = result.host_seconds
        self.steps += 1
        if not np.isfinite(loss):
            rate = self.optimizer.lr
            raise DivergenceError(
                f"the loss is {loss} in step {self.steps} (learning rate {rate:g}); "
                f"training diverged: lower --lr, for instance to {rate / 10:g}"
            )
        return loss

    def take_own_labels(self) -> None:
        """From now on every rank gives labels of those samples alone whose loss it computes.

        Those that `Plan.reads` names; the others may hold anything. For `step` and
        `evaluate_batch`; to be called on every rank.
        """
        self.engine.core.set_own_labels(True)

    def evaluate(self, images: Any, labels: Any) -> tuple[float, float]:
        """Mean loss and accuracy over any number of samples, with running statistics."""
        scores = self.scores_of(images, labels)
        return scores.loss, scores.accuracy

    def scores_of(self, images: Any, labels: Any) -> Scores:
        """Of any number of samples, with running statistics."""
        x = self.plan.graph.form.images(images, self.plan.graph.input_shape)
        x = np.ascontiguousarray(x, dtype=np.float32)
        y = np.ascontiguousarray(labels, dtype=np.int64)
        batch = self.plan.batch
        parts = (
            self.evaluate_batch(*_filled(x[start:], y[start:], batch))
            for start in range(0, len(x), batch)
        )
        return sum(parts, Scores())

    def evaluate_batch(self, images: Any, labels: Any) -> Scores:
        """Of one global batch."""
        images = self.plan.graph.form.images(images, self.plan.graph.input_shape)
        return Scores.of(self.engine.core.forward(images, labels))

    def params(self) -> Params:
        """The whole weights and running statistics, on rank 0; empty elsewhere."""
        return self.engine.params()

    def bytes_sent(self) -> int:
        """Bytes that all ranks sent since the last `reset_counters`."""
        return self.engine.bytes_sent()

    def checkpoint(self) -> Checkpoint:
        """What `restore` goes on from, whole on rank 0; `pyhpmp.checkpoint.save` writes it."""
        return Checkpoint(
            self.steps,
            self.params(),
            self.engine.optimizer_state(),
            self.plan.core.optimizer,
        )

    def restore(self, state: Checkpoint) -> None:
        """Goes on from a checkpoint of the same network, made under any plan.

        Raises:
            ModelError: it is another network's.
            InvalidArgumentError: it holds the state of another optimizer.
        """
        self.engine.world.on_root(lambda: check_optimizer(state, self.plan.core.optimizer))
        self.engine.load(state.weights)
        self.engine.load_optimizer_state(state.state)
        self.engine.core.set_step(state.step)
        self.steps = state.step

    def save_onnx(self, path: str | os.PathLike[str]) -> None:
        """Writes the trained model as ONNX, whole or not at all."""
        ranks = world.current()
        ranks.on_root(lambda: check_writable(path))
        params = self.params()
        ranks.on_root(
            lambda: model_files.write(path, self.plan.graph.template, params, self._loaded)
        )


def _filled(
    x: npt.NDArray[np.float32], y: npt.NDArray[np.int64], batch: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """The first `batch` samples; missing ones are zeros with label -1."""
    x, y = x[:batch], y[:batch]
    missing = batch - len(x)
    if missing:
        x = np.concatenate([x, np.zeros((missing, *x.shape[1:]), np.float32)])
        y = np.concatenate([y, np.full((missing, *y.shape[1:]), -1, np.int64)])
    return x, y
