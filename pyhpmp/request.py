"""What is asked of the planner."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

DEFAULT_SECONDS = 10.0


@dataclass(frozen=True)
class Request:
    """What is asked of the planner.

    shards: sample shards, or None to try several. bn_group: samples that share batch statistics, 0
    for the smaller of the batch and 32. bn_sync: shards may cut such a group. epsilon: imbalance
    that the partitioner may leave. machine: what `_core.Plan.build` takes. memory_bytes: limit per
    rank, 0 for none. recompute: never, always, or auto where the limit asks for it. seconds: for
    making candidates, on two idle cores. patience: wall-clock seconds for each of them before the
    search is cut short; more, on a busy machine, for the plan that an idle one makes. dtype: of
    activations. optimizer: whose state ranks keep beside the weights.
    compare: predict the classical strategies even where `strategy` names another.
    loss_weights: by output of the model; 0 for those that are not trained.
    """

    ranks: int
    batch: int
    strategy: str = "auto"
    objective: str = "time"
    shards: int | None = None
    epsilon: float = 0.03
    bn_group: int = 0
    bn_sync: bool = False
    seed: int = 0
    partitioner: str = "native"
    machine: dict[str, Any] = field(default_factory=dict)
    memory_bytes: int = 0
    recompute: str = "auto"
    training: bool = True
    dtype: str = "fp32"
    optimizer: str = "sgd"
    seconds: float = DEFAULT_SECONDS
    patience: float = 1.0
    compare: bool = False
    loss_weights: tuple[float, ...] = (1.0,)

    @property
    def within(self) -> dict[str, Any]:
        """The machine, and that steps are to keep the memory where any order of them does."""
        memory = {"memory_goal_bytes": self.memory_bytes, "recompute": self.recompute}
        return self.machine | memory
