"""Runs a native graph's text with torch: slow, plain, and independent of the engine.

Every op is written from its ONNX definition with torch's tensor functions, so that autograd gives
reference gradients: `OracleGraph(text, params).run(images, training=True)`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F

_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')


@dataclass
class OracleNode:
    """One line `node OP NAME : inputs : params : output key=value...`."""

    op: str
    name: str
    inputs: list[str]
    params: list[str]
    output: str
    attributes: dict[str, str] = field(default_factory=dict)

    def ints(self, key: str, default: str) -> list[int]:
        return [int(i) for i in self.attributes.get(key, default).split(",")]

    def number(self, key: str, default: float) -> float:
        return float(self.attributes.get(key, default))

    def flag(self, key: str, default: bool = False) -> bool:
        return bool(int(self.attributes.get(key, default)))


@dataclass
class OracleParam:
    """One line `param NAME ROLE DIM... [frozen]`."""

    role: str
    dims: list[int]
    frozen: bool


def _tokens(line: str) -> list[tuple[str, bool]]:
    """The line's tokens, and whether each stood in quotes."""
    unescape = {"\\n": "\n", '\\"': '"', "\\\\": "\\"}
    tokens = []
    for match in _TOKEN.finditer(line):
        if match.group(2) is not None:
            if match.group(2).startswith("#"):
                break
            tokens.append((match.group(2), False))
        else:
            text = re.sub(r"\\.", lambda m: unescape[m.group(0)], match.group(1))
            tokens.append((text, True))
    return tokens


class OracleGraph:
    """A parsed graph text with its parameters as torch tensors.

    Attributes:
        params: name to tensor; trainable ones require grad.
        running: name to the running statistic after the last training run.
        bn_group: samples that share batch statistics in training.
    """

    def __init__(self, text: str, params: Mapping[str, np.ndarray]) -> None:
        self.input = ""
        self.input_shape: list[int] = []
        self.declared: dict[str, OracleParam] = {}
        self.nodes: list[OracleNode] = []
        self.outputs: list[str] = []
        lines = text.splitlines()
        assert lines[0] == "hpmp-graph 1"
        for line in lines[1:]:
            if tokens := _tokens(line):
                self._read(tokens)
        self.params = {}
        for name, param in self.declared.items():
            tensor = torch.from_numpy(np.array(params[name]))
            assert list(tensor.shape) == param.dims, (name, tensor.shape, param.dims)
            trainable = not param.frozen and not param.role.startswith("running")
            self.params[name] = tensor.requires_grad_(trainable)
        self.running: dict[str, torch.Tensor] = {}
        self.bn_group = 0

    def _read(self, tokens: list[tuple[str, bool]]) -> None:
        words = [text for text, _ in tokens]
        if words[0] == "input":
            self.input, self.input_shape = words[1], [int(d) for d in words[2:]]
        elif words[0] == "param":
            frozen = words[-1] == "frozen"
            dims = [int(d) for d in words[3 : len(words) - frozen]]
            self.declared[words[1]] = OracleParam(words[2], dims, frozen)
        elif words[0] == "node":
            colons = [i for i, (text, quoted) in enumerate(tokens) if text == ":" and not quoted]
            first, second, third = colons
            rest = words[third + 2 :]
            self.nodes.append(
                OracleNode(
                    words[1],
                    words[2],
                    words[first + 1 : second],
                    words[second + 1 : third],
                    words[third + 1],
                    dict(item.split("=", 1) for item in rest),
                )
            )
        elif words[0] == "output":
            self.outputs.append(words[1])
        else:
            raise ValueError(f"unknown line {words}")

    def run(
        self,
        images: np.ndarray | torch.Tensor,
        *,
        training: bool = False,
        bn_group: int = 0,
        dropout: Callable[[str, torch.Tensor], torch.Tensor] | None = None,
    ) -> dict[str, torch.Tensor]:
        """All values of the graph by name, each (N, C, H, W).

        Args:
            images: (N, C, H, W).
            training: batch statistics; `dropout(node_name, x)` gives a dropout's result, and
                without it dropout does nothing.
            bn_group: samples that share statistics; 0 for the whole batch.
        """
        x = torch.as_tensor(images)
        self.bn_group = bn_group or len(x)
        values = {self.input: x.reshape(len(x), *self.input_shape)}
        self.running = {}
        for node in self.nodes:
            operands = [values[name] for name in node.inputs]
            params = [self.params[name] for name in node.params]
            if node.op == "BatchNormalization":
                result = self._batch_norm(node, operands[0], params, training)
            elif node.op == "Dropout":
                result = operands[0]
                if training and dropout is not None:
                    result = dropout(node.name, result)
            else:
                result = _OPS[node.op](node, operands, params)
            values[node.output] = result
        return values

    def _batch_norm(
        self, node: OracleNode, x: torch.Tensor, params: list[torch.Tensor], training: bool
    ) -> torch.Tensor:
        scale, shift, mean, var = params
        epsilon, momentum = node.number("epsilon", 1e-5), node.number("momentum", 0.9)
        if not training:
            return _normalised(x, mean, var, epsilon) * _row(scale) + _row(shift)
        groups = x.reshape(-1, self.bn_group, *x.shape[1:])
        means = groups.mean(dim=(1, 3, 4))
        variances = groups.var(dim=(1, 3, 4), unbiased=False)
        parts = [
            _normalised(g, m, v, epsilon) for g, m, v in zip(groups, means, variances, strict=True)
        ]
        with torch.no_grad():
            for name, old, batch in (
                (node.params[2], mean, means),
                (node.params[3], var, variances),
            ):
                self.running[name] = momentum * old + (1 - momentum) * batch.mean(dim=0)
        return torch.cat(parts) * _row(scale) + _row(shift)


def _row(param: torch.Tensor) -> torch.Tensor:
    return param.reshape(1, -1, 1, 1)


def _normalised(
    x: torch.Tensor, mean: torch.Tensor, var: torch.Tensor, epsilon: float
) -> torch.Tensor:
    return (x - _row(mean)) / torch.sqrt(_row(var) + epsilon)


def _padded(node: OracleNode, x: torch.Tensor, value: float) -> torch.Tensor:
    top, left, bottom, right = node.ints("pads", "0,0,0,0")
    return F.pad(x, (left, right, top, bottom), value=value)


def _conv(node: OracleNode, x: list[torch.Tensor], params: list[torch.Tensor]) -> torch.Tensor:
    bias = params[1] if len(params) > 1 else None
    kernel = node.ints("kernel", "1,1")
    assert list(params[0].shape[2:]) == kernel
    return F.conv2d(
        _padded(node, x[0], 0.0),
        params[0],
        bias,
        tuple(node.ints("strides", "1,1")),
        0,
        tuple(node.ints("dilations", "1,1")),
        node.ints("groups", "1")[0],
    )


def _windows(node: OracleNode, x: torch.Tensor, value: float) -> torch.Tensor:
    """(N, C, windows_h, windows_w, kernel_h, kernel_w) of the padded input."""
    kernel, strides = node.ints("kernel", "1,1"), node.ints("strides", "1,1")
    top, left, _, _ = node.ints("pads", "0,0,0,0")
    size, lead = x.shape[2:], (top, left)
    x = _padded(node, x, value)
    if node.flag("ceil_mode"):
        extra = []
        for axis in (0, 1):
            length, stride = x.shape[2 + axis], strides[axis]
            windows = -(-(length - kernel[axis]) // stride) + 1
            if (windows - 1) * stride >= size[axis] + lead[axis]:
                windows -= 1
            extra.append(max(0, (windows - 1) * stride + kernel[axis] - length))
        x = F.pad(x, (0, extra[1], 0, extra[0]), value=value)
    return x.unfold(2, kernel[0], strides[0]).unfold(3, kernel[1], strides[1])


def _max_pool(node: OracleNode, x: list[torch.Tensor], _: list[torch.Tensor]) -> torch.Tensor:
    return _windows(node, x[0], float("-inf")).flatten(4).max(dim=4).values


def _average_pool(node: OracleNode, x: list[torch.Tensor], _: list[torch.Tensor]) -> torch.Tensor:
    """Divides by the cells inside the input, with count_include_pad also those of the pads."""
    inside = torch.ones_like(x[0][:1, :1])
    if node.flag("count_include_pad"):
        sums = _windows(node, x[0], 0.0).sum(dim=(4, 5))
        bare = OracleNode(node.op, node.name, [], [], "", dict(node.attributes))
        padded = _padded(node, inside, 1.0)
        # What ceil_mode adds beyond the pads is outside in any case.
        rows, columns = sums.shape[2:]
        bare.attributes["pads"] = "0,0,0,0"
        bare.attributes["ceil_mode"] = "0"
        kernel, strides = node.ints("kernel", "1,1"), node.ints("strides", "1,1")
        more = [
            max(0, (count - 1) * strides[a] + kernel[a] - padded.shape[2 + a])
            for a, count in enumerate((rows, columns))
        ]
        counts = _windows(bare, F.pad(padded, (0, more[1], 0, more[0])), 0.0).sum(dim=(4, 5))
        return sums / counts
    sums = _windows(node, x[0], 0.0).sum(dim=(4, 5))
    return sums / _windows(node, inside, 0.0).sum(dim=(4, 5))


def _lrn(node: OracleNode, x: list[torch.Tensor], _: list[torch.Tensor]) -> torch.Tensor:
    """ONNX: the window of channel c is [c - floor((size-1)/2), c + ceil((size-1)/2)]."""
    size = node.ints("size", "5")[0]
    squares = F.pad(x[0] ** 2, (0, 0, 0, 0, (size - 1) // 2, size // 2))
    sums = squares.unfold(1, size, 1).sum(dim=-1)
    alpha, beta, bias = (
        node.number(k, d) for k, d in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0))
    )
    return x[0] / (bias + alpha / size * sums) ** beta


def _affine(node: OracleNode, x: list[torch.Tensor], params: list[torch.Tensor]) -> torch.Tensor:
    result, left = x[0], list(params)
    if node.flag("has_scale", True):
        result = result * _row(left.pop(0))
    if node.flag("has_shift", True):
        result = result + _row(left.pop(0))
    assert not left
    return result


def _dense(node: OracleNode, x: list[torch.Tensor], params: list[torch.Tensor]) -> torch.Tensor:
    result = F.linear(x[0].flatten(1), params[0], params[1] if len(params) > 1 else None)
    return result.reshape(*result.shape, 1, 1)


def _slice(node: OracleNode, x: list[torch.Tensor], _: list[torch.Tensor]) -> torch.Tensor:
    begin, end = node.ints("range", "")
    assert 0 <= begin < end <= x[0].shape[1]
    return x[0][:, begin:end]


def _shuffle(node: OracleNode, x: list[torch.Tensor], _: list[torch.Tensor]) -> torch.Tensor:
    n, c, h, w = x[0].shape
    groups = node.ints("groups", "1")[0]
    return x[0].reshape(n, groups, c // groups, h, w).transpose(1, 2).reshape(n, c, h, w)


def _add(node: OracleNode, x: list[torch.Tensor], _: list[torch.Tensor]) -> torch.Tensor:
    assert len({tensor.shape for tensor in x}) == 1
    total = x[0]
    for operand in x[1:]:
        total = total + operand
    return total


Op = Callable[[OracleNode, list[torch.Tensor], list[torch.Tensor]], torch.Tensor]
_OPS: dict[str, Op] = {
    "Conv": _conv,
    "Dense": _dense,
    "Affine": _affine,
    "Relu": lambda node, x, p: torch.relu(x[0]),
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": lambda node, x, p: x[0].mean(dim=(2, 3), keepdim=True),
    "Add": _add,
    "LRN": _lrn,
    "Softmax": lambda node, x, p: torch.softmax(x[0], dim=1),
    "Concat": lambda node, x, p: torch.cat(x, dim=1),
    "Slice": _slice,
    "ChannelShuffle": _shuffle,
    "Flatten": lambda node, x, p: x[0].reshape(len(x[0]), -1, 1, 1),
    "Identity": lambda node, x, p: x[0],
}
