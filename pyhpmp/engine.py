"""This rank's engine with its weights: loading, collecting, counting."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

from pyhpmp import _core, devices, world
from pyhpmp.errors import InvalidArgumentError, ModelError
from pyhpmp.graph import Params
from pyhpmp.plans import Plan
from pyhpmp.records import ParamInfo

DEFAULT_TIMEOUT = 60.0
Floats = npt.NDArray[np.float32]


class RankEngine:
    """The native engine of this rank; collective.

    Args:
        plan: for as many ranks as this world has.
        params: the weights, on rank 0; they are sent one at a time, so that no other rank ever
            holds the whole model.
        keep_weights: False takes each out of `params` once it is sent, so that rank 0 does not hold
            the model beside its own share of it.
        seed: of dropout. threads: that this rank computes with; 0 for its share of the cores.
        trace: keep the times of the last step's instructions.
        timeout: seconds that a rank waits for another in a step, before it fails.
        device: cpu, cuda, or auto: GPUs where every rank has one, which those of a host share.
        numerics: of fp32 products on a GPU: fp32, or tf32, which rounds them for speed.
        label_smoothing: share of a label that training spreads over all classes.
    """

    def __init__(
        self,
        plan: Plan,
        params: Params,
        *,
        keep_weights: bool = True,
        seed: int = 0,
        threads: int = 0,
        trace: bool = False,
        timeout: float = DEFAULT_TIMEOUT,
        device: str = "auto",
        numerics: str = "fp32",
        label_smoothing: float = 0.0,
    ) -> None:
        if not timeout > 0:
            raise InvalidArgumentError(f"a timeout of {timeout} s is none; it is above 0")
        self.world = world.current()
        if self.world.size != plan.ranks:
            raise InvalidArgumentError(
                f"the plan is for {plan.ranks} ranks, this run has {self.world.size}; plan for "
                f"{self.world.size}, or start {plan.ranks} (mpiexec -n {plan.ranks}, or "
                "pyhpmp.local.run)"
            )
        if numerics not in devices.NUMERICS:
            raise InvalidArgumentError(
                f"numerics '{numerics}': use one of {', '.join(devices.NUMERICS)}"
            )
        self.device = devices.choose(device, self.world)
        devices.check_dtype(plan.core.dtype, self.device.kind)
        self._infos = plan.prepared.params
        self._states = _core.optimizer_states(plan.core.optimizer)
        self.core = _core.Engine(
            plan.prepared,
            plan.core,
            self.world.communicator(),
            seed=seed,
            threads=threads or share_of_cores(self.world),
            trace=trace,
            comm_timeout_seconds=timeout,
            status=self.world.status,
            label_smoothing=label_smoothing,
            **self.device.options(numerics),
        )
        self.load(params, keep=keep_weights)

    def load(self, params: Params, *, keep: bool = True) -> None:
        """Gives every rank the rows it uses of rank 0's weights."""
        self.world.on_root(lambda: self._check(params))
        for index, info in enumerate(self._infos):
            self.core.set_param(index, self._spread(params, info))
            if not keep:
                params.pop(info.name, None)

    def _check(self, params: Params, *, trainable: bool = False) -> None:
        for info in self._infos:
            if trainable and not info.trainable:
                continue
            if info.name not in params:
                raise ModelError(f"parameter '{info.name}' has no value in the model")
            shape = params[info.name].shape
            if tuple(shape) != info.dims:
                raise ModelError(
                    f"parameter '{info.name}' has shape {tuple(shape)}, the graph says {info.dims}"
                )

    def params(self) -> Params:
        """Every parameter, whole, on rank 0; empty elsewhere."""
        return self._collected(self.core.get_param)

    def optimizer_state(self) -> dict[str, Params]:
        """What the optimizer keeps of every trainable parameter, likewise, by name."""
        return {
            name: self._collected(partial(self._get_state, state), trainable=True)
            for state, name in enumerate(self._states)
        }

    def _get_state(self, state: int, index: int, out: Floats) -> None:
        self.core.get_state(index, state, out)

    def grads(self) -> Params:
        """Gradients of the last step, whole, on every rank."""
        return self._collected(self.core.get_grad, trainable=True, everywhere=True)

    def _collected(
        self,
        get: Callable[[int, Floats], None],
        *,
        trainable: bool = False,
        everywhere: bool = False,
    ) -> Params:
        """Whole arrays, on rank 0 or on every rank; of trainable parameters or of all."""
        result: Params = {}
        for index, info in enumerate(self._infos):
            if trainable and not info.trainable:
                continue
            array = np.zeros(info.elems, np.float32)
            get(index, array)
            self.world.sum(array)
            if everywhere or self.world.is_root:
                result[info.name] = array.reshape(info.dims)
        return result

    def load_optimizer_state(self, arrays: dict[str, Params]) -> None:
        """Gives every rank the rows it owns of what rank 0 has."""
        for state, name in enumerate(self._states):
            params = arrays.get(name, {})
            self.world.on_root(partial(self._check, params, trainable=True))
            for index, info in enumerate(self._infos):
                if info.trainable:
                    self.core.set_state(index, state, self._spread(params, info))

    def _spread(self, params: Params, info: ParamInfo) -> Floats:
        """The whole parameter, on every rank."""
        if self.world.is_root:
            array = np.ascontiguousarray(params[info.name], dtype=np.float32).reshape(-1)
        else:
            array = np.empty(info.elems, np.float32)
        self.world.broadcast_array(array)
        return array

    def bytes_sent(self) -> int:
        """By all ranks since the last reset, counted by the engines."""
        sent = self.core.sent_bytes()
        self.world.sum(sent)
        return int(sent.sum())

    def reset_counters(self) -> None:
        self.core.reset_counters()


def share_of_cores(ranks: world.World) -> int:
    """Threads per rank such that the ranks of a host use each of its cores once; collective.

    OMP_NUM_THREADS, where it is a number, is obeyed.
    """
    hosts = ranks.hosts()
    here = hosts.count(hosts[ranks.rank])
    wished = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if wished.isdecimal() and int(wished):
        return int(wished)
    return max(len(os.sched_getaffinity(0)) // here, 1)
