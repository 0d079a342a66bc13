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
        file_bytes: of the model file (a protobuf cannot be larger than 2 GiB).
        external_bytes: of all weights kept in external files.
        nodes: after functions are inlined.
        tensor_elements: of any one constant or of one sample of an activation.
        generated_elements: of all constants that the file computes instead of storing.
    """

    file_bytes: int = 2**31
    external_bytes: int = 2**36
    nodes: int = 100_000
    tensor_elements: int = 2**31
    generated_elements: int = 2**28


DEFAULT_LIMITS = Limits()


class Budget:
    """Counts the elements that constant folding makes."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._left = limits.generated_elements

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

    def spend(self, elements: int, what: str) -> None:
        """Takes `elements` off the budget before they are made."""
        self._left -= elements
        if self._left < 0:
            raise ModelError(
                f"{what} computes {elements} constant elements, more than the "
                f"{self.limits.generated_elements} allowed in all (Limits.generated_elements); "
                "store them as initializers"
            )
