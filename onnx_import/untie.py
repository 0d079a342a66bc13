"""Decides which initializer slots are one parameter and which only happened to be equal."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np

from onnx_import.imported import ParamBinding, Slot, Transform
from onnx_import.limits import Budget
from onnx_import.text import GraphParam
from onnx_import.values import Known

_LOG = logging.getLogger("onnx_import")
_TORCH_NAMES = {"scale": "weight", "shift": "bias"}


@dataclass(frozen=True)
class Request:
    """A node's wish for a parameter.

    Attributes:
        value: the constant; `onnx_name` the name by which the node reads it.
        owner: the native node's name, for naming copies; `stem` that of its first parameter.
        statistics: it belongs to a normalisation, whose slots are never shared.
    """

    value: Known
    onnx_name: str
    role: str
    transform: Transform
    slot: Slot
    owner: str
    stem: str = ""
    statistics: bool = False
    frozen: bool = False


class Params:
    """The native parameters of a graph, in the order in which nodes ask for them.

    Exporters merge initializers of equal value: on a fresh network the scale and the running
    variance of a batch-norm are one tensor. Rules: normalisations' slots are always apart; so is
    everything seen through Identity or ConstantOfShape; an initializer in two slots of equal role
    is shared unless all its elements are equal.
    """

    def __init__(self, budget: Budget) -> None:
        self.list: list[GraphParam] = []
        self.arrays: dict[str, np.ndarray] = {}
        self.untied: list[tuple[str, str]] = []  # parameter, initializer
        self._budget = budget
        self._bindings: dict[str, ParamBinding] = {}
        self._shared: dict[tuple[str, str, Transform], str] = {}
        self._taken: dict[str, int] = {}
        self._used_initializers: set[str] = set()
        self._equal: dict[str, bool] = {}

    @property
    def bindings(self) -> list[ParamBinding]:
        return list(self._bindings.values())

    def add(self, request: Request) -> str:
        """Returns the name of the native parameter for the request."""
        key = (request.onnx_name, request.role, request.transform)
        direct = request.value.origin == "initializer"
        if direct and not request.statistics and key in self._shared:
            name = self._shared[key]
            if not self._all_equal(name):
                binding = self._bindings[name]
                slots = (*binding.slots, request.slot)
                self._bindings[name] = replace(binding, slots=slots)
                return name
        name = self._name(request)
        self._define(name, request, direct)
        if direct and not request.statistics:
            self._shared.setdefault(key, name)
        return name

    def _define(self, name: str, request: Request, direct: bool) -> None:
        tensor = request.value.array("a parameter")
        first_use = direct and request.onnx_name not in self._used_initializers
        if direct and not first_use:
            _LOG.info("untied %s from initializer %s", name, request.onnx_name)
            self.untied.append((name, request.onnx_name))
        if direct:
            self._used_initializers.add(request.onnx_name)
        what = f"parameter {name!r}"
        elements = self._budget.check_shape(request.transform.native_shape, what)
        if not first_use or tensor.size < elements:
            self._budget.spend(4 * elements, what)
        array = request.transform.to_native(tensor)
        if not first_use and np.shares_memory(array, tensor):
            array = array.copy()
        self._taken[name] = 1
        self.list.append(GraphParam(name, request.role, array.shape, request.frozen))
        self.arrays[name] = array
        if not request.frozen:
            self._bindings[name] = ParamBinding(
                name, request.onnx_name, direct, request.transform, (request.slot,)
            )

    def _name(self, request: Request) -> str:
        """The ONNX name where it is free, else one made from what the parameter belongs to.

        A transposed initializer keeps its own name.
        """
        role = _TORCH_NAMES.get(request.role, request.role)
        candidates = [request.value.source or request.onnx_name]
        if request.stem:
            candidates.append(f"{request.stem.rpartition('.')[0] or request.stem}.{role}")
        candidates.append(f"{request.owner}.{role}")
        for name in candidates:
            if name not in self._taken:
                return name
        last = candidates[-1]
        while (unique := f"{last}_{self._taken[last] + 1}") in self._taken:
            self._taken[last] += 1
        return unique

    def _all_equal(self, name: str) -> bool:
        """Whether a parameter's elements are all equal; found once."""
        if name not in self._equal:
            array = self.arrays[name]
            self._equal[name] = array.size == 0 or bool((array == array.flat[0]).all())
        return self._equal[name]
