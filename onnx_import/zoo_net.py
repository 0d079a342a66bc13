"""Builds an ONNX model in training form layer by layer, with random weights."""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from onnx_import.check import OPSET
from onnx_import.errors import ModelError
from onnx_import.normalise import IR_VERSION

#: Weights are drawn in pieces of this many, which stay in the cache until they are stored.
_PIECE = 2**18


@dataclass(frozen=True)
class Init:
    """A zero-mean distribution of weights; `scale` gives its width for a weight's shape."""

    draw: Callable[[np.random.Generator, np.ndarray], None]
    scale: Callable[[tuple[int, ...]], float]


def _draw_normal(rng: np.random.Generator, out: np.ndarray) -> None:
    rng.standard_normal(out=out, dtype=np.float32)


def _draw_uniform(rng: np.random.Generator, out: np.ndarray) -> None:
    """Between -1 and 1."""
    rng.random(out=out, dtype=np.float32)
    out *= 2
    out -= 1


def _fan_in(shape: tuple[int, ...]) -> int:
    return math.prod(shape[1:])


def _fan_out(shape: tuple[int, ...]) -> int:
    return shape[0] * math.prod(shape[2:])


def normal(std: float) -> Init:
    """Normal weights of a fixed standard deviation."""
    return Init(_draw_normal, lambda shape: std)


#: He et al. 2015: variance 2 / fan, counting a kernel's outputs or inputs.
HE_NORMAL_OUT = Init(_draw_normal, lambda shape: math.sqrt(2 / _fan_out(shape)))
HE_NORMAL_IN = Init(_draw_normal, lambda shape: math.sqrt(2 / _fan_in(shape)))
HE_UNIFORM = Init(_draw_uniform, lambda shape: math.sqrt(6 / _fan_in(shape)))
#: What PyTorch gives the weight and the bias of a layer unless told otherwise.
TORCH_DEFAULT = Init(_draw_uniform, lambda shape: 1 / math.sqrt(_fan_in(shape)))


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
        self._model = onnx.ModelProto(ir_version=IR_VERSION, producer_name="hpmp")
        self._model.opset_import.add(domain="", version=OPSET)
        # Filled in place: copies of large weights would cost more time than drawing them.
        self._graph = self._model.graph
        self._graph.name = name

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
        groups: int = 1,
        bias: bool = False,
        init: Init,
    ) -> Layer:
        """A square convolution; depthwise where `groups` is the number of channels."""
        shape = (out, x.c // groups, kernel, kernel)
        names = [self._draw(f"{name}.weight", shape, shape, init)]
        if bias:
            names.append(self._bias(name, shape, init))
        h, w = (self._length(name, size, kernel, stride, pad) for size in (x.h, x.w))
        self._node(
            "Conv",
            name,
            [x.name, *names],
            group=groups,
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=[pad] * 4,
        )
        return Layer(name, out, h, w)

    def conv_transpose(self, x: Layer, name: str, out: int, factor: int, *, init: Init) -> Layer:
        """A transposed convolution with a bias that enlarges maps `factor` times."""
        shape = (x.c, out, factor, factor)
        weight = self._draw(f"{name}.weight", shape, shape, init)
        bias = self._draw(f"{name}.bias", (out,), shape, init)
        self._node(
            "ConvTranspose",
            name,
            [x.name, weight, bias],
            kernel_shape=[factor] * 2,
            strides=[factor] * 2,
        )
        return Layer(name, out, x.h * factor, x.w * factor)

    def dense(self, x: Layer, name: str, out: int, *, init: Init) -> Layer:
        """A linear layer on flat features."""
        shape = (out, x.c)
        weight = self._draw(f"{name}.weight", shape, shape, init)
        bias = self._bias(name, shape, init)
        self._node("Gemm", name, [x.name, weight, bias], transB=1)
        return Layer(name, out, 1, 1)

    def batch_norm(self, x: Layer, name: str, *, epsilon: float = 1e-5) -> Layer:
        values = {"weight": 1.0, "bias": 0.0, "running_mean": 0.0, "running_var": 1.0}
        for key, value in values.items():
            self._store(f"{name}.{key}", np.full(x.c, value, np.float32))
        self._graph.node.append(
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

    def relu6(self, x: Layer) -> Layer:
        name = f"{x.name}.relu6"
        bounds = [
            self._store(f"{name}.{key}", np.array(bound, np.float32))
            for key, bound in (("min", 0.0), ("max", 6.0))
        ]
        self._node("Clip", name, [x.name, *bounds])
        return Layer(name, x.c, x.h, x.w)

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

    def whole_parts(self, times: int) -> None:
        """Refuses images that cannot be halved `times` times."""
        if self._image[1] % 2**times:
            side = max(self._image[1] // 2**times, 1) * 2**times
            raise self._error(
                f"images of {self._image[1]}x{self._image[2]} cannot be halved {times} times; use "
                f"a multiple of {2**times}, such as {side}"
            )

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
        self._graph.node[-1].output[0] = "logits"
        images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", *self._image])
        pixels = [] if x.h == x.w == 1 else [x.h, x.w]
        shape: list[str | int | None] = ["N", x.c, *pixels]
        logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, shape)
        self._graph.input.append(images)
        self._graph.output.append(logits)
        return self._model

    def _node(self, op: str, name: str, inputs: list[str], **attributes: Any) -> None:
        self._graph.node.append(helper.make_node(op, inputs, [name], name=name, **attributes))

    def _same(self, op: str, x: Layer, name: str) -> Layer:
        self._node(op, name, [x.name])
        return Layer(name, x.c, x.h, x.w)

    def _bias(self, name: str, weight_shape: tuple[int, ...], init: Init) -> str:
        """Zeros; PyTorch's default is random with the scale of the weight."""
        out = weight_shape[:1]
        if init is TORCH_DEFAULT:
            return self._draw(f"{name}.bias", out, weight_shape, init)
        return self._store(f"{name}.bias", np.zeros(out, np.float32))

    def _draw(
        self, name: str, shape: tuple[int, ...], weight_shape: tuple[int, ...], init: Init
    ) -> str:
        rng = np.random.default_rng([self._seed, zlib.crc32(name.encode())])
        scale = np.float32(init.scale(weight_shape))
        left = math.prod(shape)
        buffer = np.empty(min(left, _PIECE), np.float32)
        stream = io.BytesIO()
        while left > 0:
            piece = buffer[: min(left, _PIECE)]
            init.draw(rng, piece)
            piece *= scale
            stream.write(piece.astype("<f4", copy=False).data)
            left -= len(piece)
        self._graph.initializer.add(
            name=name, data_type=TensorProto.FLOAT, dims=shape, raw_data=stream.getvalue()
        )
        return name

    def _store(self, name: str, array: np.ndarray) -> str:
        self._graph.initializer.append(onnx.numpy_helper.from_array(array, name))
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
