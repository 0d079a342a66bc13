from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Ints32 = npt.NDArray[np.int32]
Ints64 = npt.NDArray[np.int64]
Floats32 = npt.NDArray[np.float32]
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
    op: str
    kernel: int
    stride: int
    groups: int
    c_in: int
    c_out: int
    pixels: int

class Passes(NamedTuple):
    forward: float
    backward: float
    weights: float

class PassTimes(NamedTuple):
    forward: Floats64
    backward: Floats64
    weights: Floats64
    load: Floats64

class Rate(NamedTuple):
    shape: OpShape
    per_second: Passes

class NodeInfo(NamedTuple):
    name: str
    shape: OpShape
    weight_elems: int
    is_index_map: bool
    is_mixing: bool
    work: Passes

class DeviceFigures(NamedTuple):
    fma_flops_per_second: float
    pack_bytes_per_second: float
    update_seconds_per_elem: float
    to_host_bytes_per_second: float
    to_device_bytes_per_second: float

class StepResult(NamedTuple):
    loss: float
    correct: int
    counted: int
    confusion: Ints64 | None

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

INSTRUCTIONS: tuple[str, ...]
MESSAGES: tuple[str, ...]
DTYPES: tuple[str, ...]
RECOMPUTE: tuple[str, ...]
DEVICES: tuple[str, ...]

class Program(NamedTuple):
    kind: Ints32
    group: Ints32
    shard: Ints32
    message: Ints32
    live_bytes: Ints64

class Messages(NamedTuple):
    kind: Ints32
    sender: Ints32
    receiver: Ints32
    elems: Ints64
    bytes: Ints64

class Tasks(NamedTuple):
    group: Ints32
    shard: Ints32
    channels: Ints64

class Graph:
    @staticmethod
    def parse(text: str) -> Graph: ...
    def prepare(
        self, *, training: bool = True, loss_weights: Sequence[float] = (1.0,)
    ) -> Graph: ...
    def text(self) -> str: ...
    @property
    def hash(self) -> str: ...
    @property
    def params(self) -> list[ParamInfo]: ...
    @property
    def input(self) -> ValueInfo: ...
    @property
    def outputs(self) -> list[ValueInfo]: ...
    @property
    def nodes(self) -> list[NodeInfo]: ...
    def time_node(
        self,
        index: int,
        *,
        samples: int,
        repeats: int = 20,
        budget_seconds: float = 1.0,
        threads: int = 0,
        dtype: str = "fp32",
        device: str = "cpu",
        gpu: int = 0,
        tf32: bool = False,
    ) -> PassTimes: ...

class Hypergraph:
    cells: int
    nets: int
    cell_weight: Ints64
    cell_group: Ints32
    cell_shard: Ints32
    cell_block: Ints32
    net_cost: Ints64
    net_is_param: npt.NDArray[np.bool_]
    pin_begin: Ints64
    pin_cell: Ints32
    def __init__(
        self,
        graph: Graph,
        *,
        batch: int,
        shards: int = 1,
        channel_block: int | None = None,
        dense_block: int | None = None,
        most_blocks: int = 0,
        bn_group: int = 0,
        bn_sync: bool = False,
        training: bool = True,
        dtype: str = "fp32",
    ) -> None: ...
    @property
    def groups(self) -> list[GroupInfo]: ...
    def hmetis(self) -> str: ...
    def baseline(self, strategy: str, ranks: int) -> Ints32: ...
    def search(
        self,
        ranks: int,
        *,
        epsilon: float | None = None,
        seed: int | None = None,
        work: int | None = None,
        seconds: float | None = None,
        keep: int | None = None,
        share: Sequence[float] | None = None,
        starts: Sequence[npt.ArrayLike] = (),
    ) -> list[Ints32]: ...
    def measure(self, part: npt.ArrayLike, ranks: int) -> Metrics: ...
    def predict(self, part: npt.ArrayLike, ranks: int, machine: dict[str, Any]) -> Prediction: ...
    def improve(
        self,
        ranks: int,
        machine: dict[str, Any],
        *,
        starts: Sequence[npt.ArrayLike],
        seed: int | None = None,
        work: int | None = None,
        seconds: float | None = None,
        ladder: bool = True,
    ) -> tuple[Ints32, float]: ...

def op_names() -> list[str]: ...
def runs_dtype(name: str, device: str = "cpu") -> bool: ...
def gpu_count() -> int: ...
def default_speeds() -> dict[str, float]: ...
def measure_device(
    repeats: int, threads: int = 1, *, device: str = "cpu", gpu: int = 0
) -> DeviceFigures: ...

class Plan:
    @staticmethod
    def build(
        hypergraph: Hypergraph,
        part: npt.ArrayLike,
        ranks: int,
        strategy: str,
        machine: dict[str, Any],
    ) -> Plan: ...
    @staticmethod
    def parse(text: str) -> Plan: ...
    def text(self) -> str: ...
    def verify(self, graph: Graph) -> None: ...
    @property
    def strategy(self) -> str: ...
    @property
    def graph_hash(self) -> str: ...
    @property
    def ranks(self) -> int: ...
    @property
    def batch(self) -> int: ...
    @property
    def shards(self) -> int: ...
    @property
    def bn_group(self) -> int: ...
    @property
    def bn_sync(self) -> bool: ...
    @property
    def channel_block(self) -> int: ...
    @property
    def dense_block(self) -> int: ...
    @property
    def most_blocks(self) -> int: ...
    @property
    def training(self) -> bool: ...
    @property
    def messages(self) -> int: ...
    @property
    def dtype(self) -> str: ...
    @property
    def activation_bytes(self) -> int: ...
    @property
    def parameter_bytes(self) -> int: ...
    @property
    def activation_elems(self) -> int: ...
    @property
    def parameter_elems(self) -> int: ...
    @property
    def imbalance(self) -> float: ...
    @property
    def step_seconds(self) -> float: ...
    @property
    def bubble_fraction(self) -> float: ...
    def rank(self, rank: int) -> RankInfo: ...
    def labels(self, graph: Graph, rank: int) -> list[str]: ...
    def times(self, rank: int) -> tuple[Floats64, Floats64]: ...
    def program(self, rank: int) -> Program: ...
    def message_table(self) -> Messages: ...
    def tasks(self, rank: int) -> Tasks: ...

class World:
    size: int
    def __init__(self, size: int) -> None: ...
    def communicator(self, rank: int) -> Communicator: ...
    def poison(self, rank: int, message: str) -> None: ...

class Communicator:
    @staticmethod
    def from_table(address: int, owner: object = None) -> Communicator: ...
    @property
    def rank(self) -> int: ...
    @property
    def size(self) -> int: ...
    def ping_pong(self, peer: int, size: int, repeats: int) -> Floats64: ...
    def all_reduce(self, group: int, size: int, repeats: int) -> Floats64: ...

class Engine:
    def __init__(
        self,
        graph: Graph,
        plan: Plan,
        communicator: Communicator,
        *,
        seed: int = 0,
        threads: int = 0,
        trace: bool = False,
        comm_timeout_seconds: float = 60.0,
        status: object = None,
        device: str = "cpu",
        gpu: int = 0,
        tf32: bool = False,
        gpu_memory: object = None,
    ) -> None: ...
    def set_param(self, index: int, data: Floats32) -> None: ...
    def get_param(self, index: int, out: Floats32) -> None: ...
    def get_grad(self, index: int, out: Floats32) -> None: ...
    def set_step(self, step: int) -> None: ...
    def set_momentum(self, index: int, data: Floats32) -> None: ...
    def get_momentum(self, index: int, out: Floats32) -> None: ...
    def train_step(
        self,
        images: object,
        labels: object,
        *,
        lr: float,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> StepResult: ...
    def forward(
        self, images: object, labels: object = None, outputs: Sequence[Floats32] = ()
    ) -> StepResult: ...
    def sent_by_net(self) -> Ints64: ...
    def sent_by_peer(self) -> Ints64: ...
    def sent_bytes(self) -> int: ...
    def reset_counters(self) -> None: ...
    @property
    def memory_bytes(self) -> int: ...
    def trace(self) -> tuple[Ints32, Floats64, Floats64]: ...
