"""Budgets that a model file must keep, checked before any memory is spent on it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from onnx_import.errors import ModelError


@dataclass(frozen=True)
class Limits:
    """What a model may ask for; raise a field to import an unusually large model.

    Attributes:
        file_bytes: of the model file (a protobuf must be smaller than 2 GiB).
        parsed_bytes: of the model file without the raw bytes of its initializers.
        external_bytes: of all weights kept in external files.
        nodes: after functions are inlined.
        tensor_elements: of any one constant or of one sample of an activation.
        generated_bytes: of all constants that the file computes instead of storing.
        operations: of arithmetic to compute them.
    """

    file_bytes: int = 2**31 - 1
    parsed_bytes: int = 2**29
    external_bytes: int = 2**36
    nodes: int = 100_000
    tensor_elements: int = 2**31
    generated_bytes: int = 3 * 2**28
    operations: int = 2**31


DEFAULT_LIMITS = Limits()


class Budget:
    """Counts the bytes that constant folding makes, and its arithmetic."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._bytes_left = limits.generated_bytes
        self._operations_left: float = limits.operations

    def check_shape(self, shape: Iterable[int], what: str) -> int:
        """Returns the number of elements of `shape`, in exact integers."""
        dims = [int(d) for d in shape]
        if any(d < 0 for d in dims):
            raise ModelError(f"{what} has the shape {dims}; dimensions cannot be negative")
        elements = math.prod(dims)
        if elements > self.limits.tensor_elements:
            raise ModelError(
                f"{what} has the shape {dims}, {elements} elements; at most "
                f"{self.limits.tensor_elements} are allowed (Limits.tensor_elements)"
            )
        return elements

    def spend(self, n_bytes: int, what: str) -> None:
        """Takes `n_bytes` off the budget before they are made."""
        self._bytes_left -= n_bytes
        if self._bytes_left < 0:
            raise ModelError(
                f"{what} computes {n_bytes} bytes of constants, more than the "
                f"{self.limits.generated_bytes} allowed in all (Limits.generated_bytes); "
                "store them as initializers"
            )

    def work(self, operations: float, what: str) -> None:
        """Takes arithmetic off the budget before it is done."""
        self._operations_left -= operations
        if not self._operations_left >= 0:
            raise ModelError(
                f"{what} computes constants by {operations:.3g} operations, more than the "
                f"{self.limits.operations} allowed in all (Limits.operations); "
                "store them as initializers"
            )
