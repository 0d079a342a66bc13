"""Builds an ONNX model in training form layer by layer, with random weights."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from onnx_import.check import OPSET
from onnx_import.errors import ModelError
from onnx_import.normalise import IR_VERSION

#: Draws weights of one shape.
Init = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def normal(std: float) -> Init:
    """Zero-mean normal weights."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        weights = rng.standard_normal(shape, dtype=np.float32)
        weights *= np.float32(std)
        return weights

    return draw


def he_normal(fan: str = "out") -> Init:
    """He et al. 2015: variance 2 / fan, counting a kernel's inputs or outputs."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return normal(math.sqrt(2 / (_fans(shape)[fan])))(rng, shape)

    return draw


def uniform(bound: float) -> Init:
    """Weights in [-bound, bound)."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        weights = rng.random(shape, dtype=np.float32)
        weights *= np.float32(2 * bound)
        weights -= np.float32(bound)
        return weights

    return draw


def he_uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """He et al. 2015 with a uniform distribution over a kernel's inputs."""
    return uniform(math.sqrt(6 / _fans(shape)["in"]))(rng, shape)


def torch_default(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """What PyTorch gives a convolution or a linear layer: variance 1 / (3 fan-in)."""
    return uniform(1 / math.sqrt(_fans(shape)["in"]))(rng, shape)


def _fans(shape: tuple[int, ...]) -> dict[str, int]:
    field = math.prod(shape[2:])
    return {"in": shape[1] * field, "out": shape[0] * field}


@dataclass(frozen=True)
class Layer:
    """A value of the network under construction and its shape without the batch."""

    name: str
    c: int
    h: int
    w: int


class Net:
    """A network under construction; parameters are named as in a PyTorch state_dict.

    Each parameter is drawn from its own generator, keyed by the seed and its name, so that a
    layer's weights do not depend on the layers before it.
    """

    def __init__(self, name: str, channels: int, image: int, seed: int) -> None:
        self._name = name
        self._seed = seed
        self._image = (channels, image, image)
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []

    def input(self) -> Layer:
        return Layer("images", *self._image)

    def conv(
        self,
        x: Layer,
        name: str,
        out: int,
        kernel: int,
        *,
        stride: int = 1,
        pad: int = 0,
        bias: bool = False,
        init: Init,
        bias_init: Init | None = None,
    ) -> Layer:
        """A square convolution; its bias starts at zero unless `bias_init` is given."""
        names = [self._draw(f"{name}.weight", (out, x.c, kernel, kernel), init)]
        if bias:
            names.append(self._bias(name, out, x.c * kernel * kernel, bias_init))
        h, w = (self._length(name, size, kernel, stride, pad) for size in (x.h, x.w))
        self._node(
            "Conv",
            name,
            [x.name, *names],
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=[pad] * 4,
        )
        return Layer(name, out, h, w)

    def dense(
        self, x: Layer, name: str, out: int, *, init: Init, bias_init: Init | None = None
    ) -> Layer:
        """A linear layer on flat features."""
        weight = self._draw(f"{name}.weight", (out, x.c), init)
        bias = self._bias(name, out, x.c, bias_init)
        self._node("Gemm", name, [x.name, weight, bias], transB=1)
        return Layer(name, out, 1, 1)

    def batch_norm(self, x: Layer, name: str, *, epsilon: float = 1e-5) -> Layer:
        values = {"weight": 1.0, "bias": 0.0, "running_mean": 0.0, "running_var": 1.0}
        for key, value in values.items():
            self._store(f"{name}.{key}", np.full(x.c, value, np.float32))
        self._nodes.append(
            helper.make_node(
                "BatchNormalization",
                [x.name, *(f"{name}.{key}" for key in values)],
                [name, f"{name}.new_mean", f"{name}.new_var"],
                name=name,
                epsilon=epsilon,
                momentum=0.9,
                training_mode=1,
            )
        )
        return Layer(name, x.c, x.h, x.w)

    def relu(self, x: Layer) -> Layer:
        return self._same("Relu", x, f"{x.name}.relu")

    def dropout(self, x: Layer, name: str, ratio: float) -> Layer:
        self._store(f"{name}.ratio", np.array(ratio, np.float32))
        self._store(f"{name}.training", np.array(True))
        self._node("Dropout", name, [x.name, f"{name}.ratio", f"{name}.training"])
        return Layer(name, x.c, x.h, x.w)

    def pool(
        self,
        x: Layer,
        name: str,
        kernel: int,
        *,
        stride: int,
        pad: int = 0,
        ceil_mode: bool = False,
        op: str = "MaxPool",
    ) -> Layer:
        h, w = (self._length(name, s, kernel, stride, pad, ceil_mode) for s in (x.h, x.w))
        self._node(
            op,
            name,
            [x.name],
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=[pad] * 4,
            ceil_mode=int(ceil_mode),
        )
        return Layer(name, x.c, h, w)

    def adaptive_pool(self, x: Layer, name: str, size: int, works: str) -> Layer:
        """Averages to `size` x `size` where that divides the map; `works` names good images."""
        if x.h % size:
            raise self._error(
                f"images of {self._image[1]}x{self._image[2]} give a map of {x.h}x{x.w}, not a "
                f"multiple of {size}x{size}; use {works}"
            )
        factor = x.h // size
        return x if factor == 1 else self.pool(x, name, factor, stride=factor, op="AveragePool")

    def global_pool(self, x: Layer, name: str) -> Layer:
        self._node("GlobalAveragePool", name, [x.name])
        return Layer(name, x.c, 1, 1)

    def flatten(self, x: Layer) -> Layer:
        self._node("Flatten", f"{x.name}.flat", [x.name], axis=1)
        return Layer(f"{x.name}.flat", x.c * x.h * x.w, 1, 1)

    def add(self, a: Layer, b: Layer, name: str) -> Layer:
        self._node("Add", name, [a.name, b.name])
        return Layer(name, a.c, a.h, a.w)

    def concat(self, layers: list[Layer], name: str) -> Layer:
        self._node("Concat", name, [layer.name for layer in layers], axis=1)
        return Layer(name, sum(layer.c for layer in layers), layers[0].h, layers[0].w)

    def finish(self, x: Layer) -> onnx.ModelProto:
        """The model, whose output `logits` is `x`."""
        self._nodes[-1].output[0] = "logits"
        images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", *self._image])
        logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", x.c])
        graph = helper.make_graph(self._nodes, self._name, [images], [logits], self._initializers)
        model = helper.make_model(
            graph, producer_name="hpmp", opset_imports=[helper.make_opsetid("", OPSET)]
        )
        model.ir_version = IR_VERSION
        return model

    def _node(self, op: str, name: str, inputs: list[str], **attributes: object) -> None:
        self._nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))

    def _same(self, op: str, x: Layer, name: str) -> Layer:
        self._node(op, name, [x.name])
        return Layer(name, x.c, x.h, x.w)

    def _bias(self, name: str, out: int, fan_in: int, init: Init | None) -> str:
        """Zeros, or what `init` gives a weight of the same fan-in."""
        if init is None:
            return self._store(f"{name}.bias", np.zeros(out, np.float32))
        rng = self._generator(f"{name}.bias")
        bound = 1 / math.sqrt(fan_in)
        draw = uniform(bound) if init is torch_default else init
        return self._store(f"{name}.bias", draw(rng, (out,)))

    def _draw(self, name: str, shape: tuple[int, ...], init: Init) -> str:
        return self._store(name, init(self._generator(name), shape))

    def _generator(self, name: str) -> np.random.Generator:
        return np.random.default_rng([self._seed, zlib.crc32(name.encode())])

    def _store(self, name: str, array: np.ndarray) -> str:
        self._initializers.append(onnx.numpy_helper.from_array(array, name))
        return name

    def _length(
        self, name: str, size: int, kernel: int, stride: int, pad: int, ceil_mode: bool = False
    ) -> int:
        room = size + 2 * pad - kernel
        if room < 0:
            raise self._error(
                f"images of {self._image[1]}x{self._image[2]} are too small: layer {name!r} has a "
                f"window of {kernel} for a map of {size}; use larger images"
            )
        length = (room + (stride - 1) * ceil_mode) // stride + 1
        return length - 1 if ceil_mode and (length - 1) * stride >= size + pad else length

    def _error(self, reason: str) -> ModelError:
        return ModelError(f"cannot build zoo:{self._name}: {reason}")
