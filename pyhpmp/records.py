"""What the core answers with: plain tuples with names, which need nothing of C."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

PASSAGES = ("host", "mpi", "gpu")  # how messages travel: hpmp_passage in hpmp.h
Ints32 = npt.NDArray[np.int32]
Ints64 = npt.NDArray[np.int64]
Floats64 = npt.NDArray[np.float64]


class ParamInfo(NamedTuple):
    name: str
    role: str
    dims: tuple[int, ...]
    trainable: bool
    elems: int


class ValueInfo(NamedTuple):
    name: str
    shape: tuple[int, int, int]


class OpShape(NamedTuple):
    """What the speed of an op depends on, for one sample of its output."""

    op: str
    kernel: int
    stride: int
    groups: int
    c_in: int
    c_out: int
    pixels: int


class Passes(NamedTuple):
    """A figure for each pass of an op; `weights` is 0 where there is no third pass."""

    forward: float
    backward: float
    weights: float


class PassTimes(NamedTuple):
    """Seconds of every repeat; `weights` is empty where there is no third pass.

    load: of taking new parameters over, once a step.
    """

    forward: Floats64
    backward: Floats64
    weights: Floats64
    load: Floats64


class Rate(NamedTuple):
    """Work per second of an op on a shape."""

    shape: OpShape
    per_second: Passes


class NodeInfo(NamedTuple):
    """`work`: of one sample; floating-point operations where `is_mixing`, else bytes."""

    name: str
    shape: OpShape
    weight_elems: int
    is_index_map: bool
    is_mixing: bool
    work: Passes


class DeviceFigures(NamedTuple):
    """Multiply-adds are of one core, 0 for a GPU; the last two are of a GPU, 0 for a CPU."""

    fma_flops_per_second: float
    pack_bytes_per_second: float
    update_seconds_per_elem: float
    to_host_bytes_per_second: float
    to_device_bytes_per_second: float


class StepResult(NamedTuple):
    """Of a global batch; loss: weighted sum over heads of the mean over the labels that count.

    correct: labels that are the first head's top class. counted: labels that are not -1.
    confusion: where that head is of maps, (3, classes) pixels right, predicted, labelled.
    host_seconds: in which this rank's host gave out the step's work (on a CPU: did it).
    """

    loss: float
    correct: int
    counted: int
    confusion: Ints64 | None
    host_seconds: float


class GroupInfo(NamedTuple):
    name: str
    op: str
    shape: tuple[int, int, int]
    blocks: int


class Metrics(NamedTuple):
    activation_elems: int
    parameter_elems: int
    imbalance: float
    part_weight: Ints64
    pair_elems: Ints64
    net_volume: Ints64


class Prediction(NamedTuple):
    """What a plan promises: what all ranks send in a step, times, bytes by rank.

    compute_seconds, network_seconds: what its busiest rank and its busiest link alone would take.
    """

    messages: int
    activation_elems: int
    parameter_elems: int
    imbalance: float
    step_seconds: float
    bubble_fraction: float
    compute_seconds: float
    network_seconds: float
    activation_bytes: int
    parameter_bytes: int
    memory_bytes: list[int]


class RankInfo(NamedTuple):
    instructions: int
    arena_bytes: int
    param_bytes: int
    sent_elems: int
    sent_bytes: int


class Program(NamedTuple):
    """[instructions]; kind indexes `_core.INSTRUCTIONS`.

    live_bytes: of the arena, while it runs.
    """

    kind: Ints32
    group: Ints32
    shard: Ints32
    message: Ints32
    live_bytes: Ints64


class Messages(NamedTuple):
    """[messages]; kind indexes `_core.MESSAGES`."""

    kind: Ints32
    sender: Ints32
    receiver: Ints32
    elems: Ints64
    bytes: Ints64


class Tasks(NamedTuple):
    """[tasks]; channels: how many of the group's output."""

    group: Ints32
    shard: Ints32
    channels: Ints64


class Reads(NamedTuple):
    """What a rank reads of a batch: bool, [batch] samples each."""

    images: npt.NDArray[np.bool_]
    labels: npt.NDArray[np.bool_]
