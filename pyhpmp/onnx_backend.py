"""hpmp behind ONNX's backend interface: `onnx.backend.test` and other tools run it as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper
from onnx.backend.base import Backend, BackendRep

import onnx_import
import pyhpmp
from onnx_import.bind import Bound, bind
from pyhpmp.errors import HpmpError, InvalidArgumentError

ENGINE, FOLD = "engine", "fold"
Feeds = dict[str, np.ndarray]


class HpmpRep(BackendRep):
    """A model ready to run.

    Attributes:
        engine: what computed the last results: `engine`, the native core, or `fold`, the
            importer's constant folder, for what is no network; empty before the first run.
        reason: why the native core was not used.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        initializers = {t.name for t in model.graph.initializer}
        self._names = [i.name for i in model.graph.input if i.name not in initializers]
        self._prepared: tuple[object, Bound, pyhpmp.Session] | None = None
        self.engine = self.reason = ""

    def run(self, inputs: Any, **kwargs: Any) -> tuple[np.ndarray, ...]:
        """The outputs for arrays in the order of the model's inputs, or by name.

        Errors: `onnx_import.ModelError`, where neither the core nor the folder can run the model.
        """
        feeds = self._feeds(inputs)
        try:
            bound, session = self._session(feeds)
            outputs = session.outputs(bound.images(feeds))
            self.engine, self.reason = ENGINE, ""
        except (onnx_import.ModelError, HpmpError) as error:
            outputs = onnx_import.evaluate(self._model, feeds)
            self.engine, self.reason = FOLD, str(error)
        return tuple(outputs)

    def _feeds(self, inputs: Any) -> Feeds:
        named = inputs if isinstance(inputs, Mapping) else None
        if named is None:
            arrays = [inputs] if isinstance(inputs, np.ndarray) else list(inputs)
            if len(arrays) != len(self._names):
                raise InvalidArgumentError(
                    f"{len(arrays)} inputs are given, the model has {len(self._names)}: "
                    f"{', '.join(self._names)}"
                )
            named = dict(zip(self._names, arrays, strict=True))
        return {name: np.asarray(array) for name, array in named.items()}

    def _session(self, feeds: Feeds) -> tuple[Bound, pyhpmp.Session]:
        """Planned anew where shapes or the values of weights have changed."""
        if self._prepared is not None:
            key, bound, session = self._prepared
            if key == _key(bound, feeds):
                return bound, session
        bound = bind(self._model, feeds)
        graph = pyhpmp.load(bound.model)
        samples = len(feeds[bound.parts[0]])
        plan = pyhpmp.plan(graph, ranks=1, batch=samples, training=False, seconds=0)
        session = pyhpmp.Session(plan)
        self._prepared = _key(bound, feeds), bound, session
        return bound, session


def _key(bound: Bound, feeds: Feeds) -> object:
    """What a prepared session depends on: shapes, and the values of what is no activation."""
    return {
        name: array.shape if name in bound.parts else (array.shape, array.dtype, array.tobytes())
        for name, array in feeds.items()
    }


class HpmpBackend(Backend):
    """The backend; for `BackendTest(HpmpBackend, __name__)`."""

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> HpmpRep:
        """Errors: `InvalidArgumentError` for a device that is not there."""
        if not cls.supports_device(device):
            raise InvalidArgumentError(f"device {device!r} is not supported; use 'CPU'")
        return HpmpRep(model)

    @classmethod
    def run_node(
        cls,
        node: onnx.NodeProto,
        inputs: Any,
        device: str = "CPU",
        outputs_info: Sequence[tuple[np.dtype[Any], tuple[int, ...]]] | None = None,
        **kwargs: Any,
    ) -> tuple[np.ndarray, ...]:
        """Runs one node on arrays, one per input that it names."""
        names = list(dict.fromkeys(name for name in node.input if name))
        arrays = [np.asarray(array) for array in inputs]
        infos = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
            for name, a in zip(names, arrays, strict=True)
        ]
        outputs = [onnx.ValueInfoProto(name=name) for name in node.output if name]
        version = int(kwargs.get("opset_version", onnx_import.OPSET))
        model = helper.make_model(
            helper.make_graph([node], node.op_type, infos, outputs),
            opset_imports=[helper.make_opsetid("", version)],
        )
        return cls.prepare(model, device).run(arrays)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        return device.split(":")[0] == "CPU"
