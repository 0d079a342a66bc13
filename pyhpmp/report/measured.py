"""What a run measured: the times of its steps, and of every instruction of the last one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyhpmp import world

Floats = npt.NDArray[np.float64]
Trace = tuple[npt.NDArray[np.int32], Floats, Floats]


def no_trace() -> Trace:
    return np.zeros(0, np.int32), np.zeros(0), np.zeros(0)


@dataclass(frozen=True)
class Measured:
    """step_seconds: of every step. traces: by rank, index, start and end of each instruction."""

    step_seconds: list[float]
    traces: list[Trace]

    @property
    def median(self) -> float | None:
        return float(np.median(self.step_seconds)) if self.step_seconds else None

    @property
    def last(self) -> float:
        """Seconds of the traced step on the rank that took longest."""
        return max((float(end.max(initial=0.0)) for _, _, end in self.traces), default=0.0)


def gathered(trace: Trace, step_seconds: list[float]) -> Measured:
    """From this rank's trace of the last step; collective."""
    return Measured(step_seconds, world.current().gather(trace))
