"""The engine works in somebody else's memory and on somebody else's stream, as CuPy gives them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Program = Callable[[list[str], dict[str, str]], dict[str, Any]]

# CuPy's part, played by the driver: counts what is taken and given back.
PROGRAM = """
import ctypes, json, os, sys
import numpy as np
import pyhpmp
from pyhpmp import cupy_memory, local

driver = ctypes.CDLL(os.environ.get("HPMP_CUDA_DRIVER") or "libcuda.so.1")

class Memory:
    def __init__(self):
        context, stream = ctypes.c_void_p(), ctypes.c_void_p()
        assert driver.cuInit(0) == 0
        assert driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0) == 0
        assert driver.cuCtxSetCurrent(context) == 0
        assert driver.cuStreamCreate(ctypes.byref(stream), 1) == 0
        self.stream, self.taken, self.most = stream.value, set(), 0
    def allocate(self, size):
        address = ctypes.c_ulonglong()
        if driver.cuMemAlloc_v2(ctypes.byref(address), ctypes.c_size_t(size)) != 0:
            raise MemoryError
        self.taken.add(address.value)
        self.most = max(self.most, len(self.taken))
        return address.value
    def release(self, address):
        self.taken.remove(address)
        assert driver.cuMemFree_v2(ctypes.c_ulonglong(address)) == 0

memory = Memory()
cupy_memory.memory_on = lambda gpu: memory

def work(rank):
    graph = pyhpmp.load("zoo:lenet5")
    plan = pyhpmp.plan(graph, batch=8, seconds=1.0)
    trainer = pyhpmp.Trainer(plan, threads=1, device=sys.argv[1])
    images = np.ones((8, *graph.input_shape), np.float32)
    return [trainer.step(images, np.arange(8) % 10) for _ in range(3)]

losses = local.run(1, work)[0]
print(json.dumps({"losses": losses, "left": len(memory.taken), "most": memory.most}))
"""


def test_memory_comes_from_the_pool_and_goes_back(
    gpu: dict[str, str], program: Program, tmp_path: Path
) -> None:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    on_gpu = program([str(path), "cuda"], gpu)
    on_cpu = program([str(path), "cpu"], gpu)
    assert on_gpu["most"] > 10
    assert on_gpu["left"] == 0
    assert on_cpu["most"] == 0
    for here, there in zip(on_gpu["losses"], on_cpu["losses"], strict=True):
        assert abs(here - there) < 1e-4 * abs(there)
