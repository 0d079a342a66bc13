"""Which device the ranks of a run compute on: the processor's cores, or GPUs that they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyhpmp import _core, cuda_libraries, cupy_memory
from pyhpmp.errors import DeviceError, InvalidArgumentError
from pyhpmp.records import DeviceFigures
from pyhpmp.world import World

DEVICES = ("auto", *_core.DEVICES)
NUMERICS = ("fp32", "tf32")


@dataclass(frozen=True)
class Device:
    """kind: cpu or cuda. gpu: which of this process's."""

    kind: str = "cpu"
    gpu: int = 0

    def options(self, numerics: str) -> dict[str, Any]:
        """What `_core.Engine` is given, with CuPy's memory and stream where CuPy is installed."""
        if self.kind == "cpu":
            return {}
        return self.bench_options(numerics) | {"gpu_memory": cupy_memory.memory_on(self.gpu)}

    def bench_options(self, numerics: str) -> dict[str, Any]:
        """What `_core.Graph.time_node` is given; a GPU's memory is the driver's."""
        if self.kind == "cpu":
            return {}
        cuda_libraries.name_libraries()
        return {"device": self.kind, "gpu": self.gpu, "tf32": numerics == "tf32"}

    def figures(self, repeats: int, threads: int) -> DeviceFigures:
        """What it does at best."""
        return _core.measure_device(repeats, threads, device=self.kind, gpu=self.gpu)


CPU = Device()


def check(asked: str, dtype: str) -> None:
    """What can be refused before anything is read, on one rank.

    Raises:
        InvalidArgumentError: there is no such device here, or it does not compute on the dtype.
    """
    if asked not in DEVICES:
        raise InvalidArgumentError(f"--device {asked}: use one of {', '.join(DEVICES)}")
    gpus, why = gpus_here()
    if asked == "cuda" and gpus == 0:
        raise InvalidArgumentError(f"--device cuda: {why}; or use --device cpu")
    check_dtype(dtype, "cuda" if gpus and asked != "cpu" else "cpu")


def check_dtype(dtype: str, device: str = "cpu") -> None:
    """Raises InvalidArgumentError where this machine does not compute on activations of it."""
    if not _core.runs_dtype(dtype, device):
        raise InvalidArgumentError(
            f"--dtype {dtype} needs a processor with AVX-512, or a GPU; use --dtype fp32"
        )


def choose(asked: str, ranks: World) -> Device:
    """This rank's device; collective. Ranks of a host take its GPUs in turn.

    Raises:
        InvalidArgumentError: on every rank where `asked` is cuda and one has no GPU.
    """
    check(asked, "fp32")
    if asked == "cpu":
        return Device()
    found, hosts = ranks.gather(gpus_here()), ranks.hosts()
    for rank, (gpus, why) in enumerate(found):
        if gpus == 0 and asked == "cuda":
            raise InvalidArgumentError(f"--device cuda: rank {rank}: {why}; or use --device cpu")
    if any(gpus == 0 for gpus, _ in found):
        return Device()
    before = hosts[: ranks.rank].count(hosts[ranks.rank])
    return Device("cuda", before % found[ranks.rank][0])


def gpus_here() -> tuple[int, str]:
    """How many, and why none."""
    try:
        return _core.gpu_count(), ""
    except DeviceError as error:
        return 0, str(error)
