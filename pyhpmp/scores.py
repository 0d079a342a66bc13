"""How good answers are: mean loss, share of right labels, and how well maps overlap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyhpmp.records import StepResult

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Scores:
    """Of any number of labels; those that are -1 do not count.

    loss_sum: of the mean loss times the labels that count. correct: of the labels that are counted.
    confusion: of maps, (3, classes) pixels that are right, predicted and labelled; else None.
    """

    loss_sum: float = 0.0
    correct: int = 0
    counted: int = 0
    confusion: Ints | None = None

    @staticmethod
    def of(result: StepResult) -> Scores:
        """What an engine says of a global batch."""
        sum_of_losses = result.loss * result.counted
        return Scores(sum_of_losses, result.correct, result.counted, result.confusion)

    @staticmethod
    def of_logits(logits: npt.NDArray[np.float32], labels: Ints) -> Scores:
        """logits: (N, C) with labels (N), or (N, C, H, W) with labels (N, H, W)."""
        top, counts = logits.argmax(axis=1), labels >= 0
        right = (top == labels) & counts
        confusion = None
        if logits.ndim == 4:
            parts = (labels[right], top[counts], labels[counts])
            classes = logits.shape[1]
            confusion = np.stack([np.bincount(p, minlength=classes) for p in parts])
        return Scores(0.0, int(right.sum()), int(counts.sum()), confusion)

    def __add__(self, other: Scores) -> Scores:
        confusion = self.confusion if other.confusion is None else other.confusion
        if self.confusion is not None and other.confusion is not None:
            confusion = self.confusion + other.confusion
        return Scores(
            self.loss_sum + other.loss_sum,
            self.correct + other.correct,
            self.counted + other.counted,
            confusion,
        )

    @property
    def loss(self) -> float:
        return self.loss_sum / max(self.counted, 1)

    @property
    def accuracy(self) -> float:
        return self.correct / max(self.counted, 1)

    @property
    def mean_iou(self) -> float | None:
        """Intersection over union, the mean over classes that are predicted or labelled."""
        if self.confusion is None:
            return None
        right, predicted, labelled = self.confusion
        union = predicted + labelled - right
        there = union > 0
        return float((right[there] / union[there]).mean()) if there.any() else None
