"""A GPU's memory from CuPy's pool and a stream of CuPy's, where CuPy is installed."""

from __future__ import annotations

from typing import Any


class CupyMemory:
    """What `_core.Engine` takes as gpu_memory.

    Attributes:
        stream: the address of a CuPy stream, which this keeps alive.
    """

    def __init__(self, cupy: Any, gpu: int) -> None:
        self._cupy, self._gpu = cupy, gpu
        with cupy.cuda.Device(gpu):
            self._stream = cupy.cuda.Stream(non_blocking=True)
        self.stream = int(self._stream.ptr)
        self._blocks: dict[int, Any] = {}

    def allocate(self, size: int) -> int:
        """The address of `size` bytes."""
        with self._cupy.cuda.Device(self._gpu), self._stream:
            block = self._cupy.cuda.alloc(size)
        self._blocks[block.ptr] = block
        return int(block.ptr)

    def release(self, address: int) -> None:
        """Gives it back to the pool, once the stream has passed what is on it now."""
        del self._blocks[address]


def memory_on(gpu: int) -> CupyMemory | None:
    """None where CuPy is not installed or finds no GPU: the driver's own memory is used then."""
    try:
        import cupy
    except ImportError:
        return None
    return CupyMemory(cupy, gpu) if cupy.cuda.is_available() else None
