"""Learning rates over a run: a linear warm-up, then constant, cosine or step decay."""

from __future__ import annotations

import math
from dataclasses import dataclass

STEP_MILESTONES = (0.5, 0.75)  # shares of the run after which `step` divides the rate by 10


@dataclass(frozen=True)
class Schedule:
    """kind: constant, cosine or step. steps: of the whole run; warmup: of them, at its start."""

    kind: str
    lr: float
    steps: int
    warmup: int = 0

    def rate(self, step: int) -> float:
        """The learning rate of step 0, 1, ..."""
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        done = (step - self.warmup) / max(self.steps - self.warmup, 1)
        if self.kind == "cosine":
            return self.lr * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
        if self.kind == "step":
            passed = sum(step >= share * self.steps for share in STEP_MILESTONES)
            return self.lr * 0.1**passed
        return self.lr
