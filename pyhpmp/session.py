"""Inference: the forward part of a plan, for any number of images."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pyhpmp import planning, world
from pyhpmp.engine import DEFAULT_TIMEOUT, RankEngine
from pyhpmp.graph import Params
from pyhpmp.plans import Plan
from pyhpmp.plans import plan as make_plan

Floats = npt.NDArray[np.float32]


class Session:
    """Runs a model; collective: every rank calls with the same images and gets all outputs.

    Args:
        plan: an inference plan, or a training plan, of which the forward part is planned anew with
            the same ranks, batch and strategy.
        params: weights on rank 0; by default the model's. keep_weights: as in `Trainer`.
        threads: of this rank; 0 for its share of the cores.
        trace: keep the times of the last batch's instructions.
        timeout: seconds that a rank waits for another, before it fails.
        device: cpu, cuda or auto. numerics: fp32 or tf32. As in `RankEngine`.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        params: Params | None = None,
        keep_weights: bool = True,
        threads: int = 0,
        trace: bool = False,
        timeout: float = DEFAULT_TIMEOUT,
        device: str = "auto",
        numerics: str = "fp32",
    ) -> None:
        self.plan = _for_inference(plan) if plan.core.training else plan
        weights = plan.graph.params if params is None else params
        self.engine = RankEngine(
            self.plan,
            weights,
            keep_weights=keep_weights,
            threads=threads,
            trace=trace,
            timeout=timeout,
            device=device,
            numerics=numerics,
        )
        self._shapes = [output.shape for output in self.plan.prepared.outputs]
        squeezed = tuple(_squeezed(shape) for shape in self._shapes)
        self._dims = self.plan.graph.output_dims or squeezed

    def __call__(self, images: Any) -> Floats:
        """The first output, in the shape that the model's file gives it."""
        return self.outputs(images)[0]

    def outputs(self, images: Any) -> list[Floats]:
        """Every output for any N of images (N, C, H, W), lines (N, C, L) or features (N, F)."""
        x = np.ascontiguousarray(images, dtype=np.float32)
        native = self.plan.graph.input_shape
        if x.ndim == 3 and x.shape[1:] == (native[0], native[1] * native[2]):
            x = x.reshape(len(x), *native)
        batch = self.plan.batch
        parts = [self._batch(x[start : start + batch]) for start in range(0, len(x), batch)]
        if not parts:
            return [np.zeros((0, *dims), np.float32) for dims in self._dims]
        outputs = [np.concatenate(column) for column in zip(*parts, strict=True)]
        return [y.reshape(len(x), *d) for y, d in zip(outputs, self._dims, strict=True)]

    def _batch(self, images: Floats) -> list[Floats]:
        samples, batch = len(images), self.plan.batch
        if samples < batch:
            missing = np.zeros((batch - samples, *images.shape[1:]), np.float32)
            images = np.concatenate([images, missing])
        outputs = [np.zeros((batch, *_squeezed(shape)), np.float32) for shape in self._shapes]
        self.engine.core.forward(images, outputs=outputs)
        ranks = world.current()
        for output in outputs:
            ranks.sum(output)  # each rank fills the samples whose output it computes
        return [output[:samples] for output in outputs]


def _squeezed(shape: tuple[int, int, int]) -> tuple[int, ...]:
    return shape[:1] if shape[1:] == (1, 1) else shape


def _for_inference(plan: Plan) -> Plan:
    asked = plan.request
    known = asked.strategy in planning.STRATEGIES
    return make_plan(
        plan.graph,
        ranks=plan.ranks,
        batch=plan.batch,
        strategy=asked.strategy if known else "auto",
        objective=asked.objective,
        epsilon=asked.epsilon,
        seed=asked.seed,
        partitioner=asked.partitioner,
        memory=asked.memory_bytes / 2**30,
        training=False,
        dtype=plan.core.dtype,
    )
