"""The operators of a native graph, each written with torch from its ONNX definition."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from oracle_resample import resampled


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


def row(param: torch.Tensor) -> torch.Tensor:
    """One number per channel, to be used with (N, C, H, W)."""
    return param.reshape(1, -1, 1, 1)


def normalised(
    x: torch.Tensor, mean: torch.Tensor, var: torch.Tensor, epsilon: float
) -> torch.Tensor:
    """x with the given statistics removed."""
    return (x - row(mean)) / torch.sqrt(row(var) + epsilon)


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


def _conv_transpose(
    node: OracleNode, x: list[torch.Tensor], params: list[torch.Tensor]
) -> torch.Tensor:
    """Every pixel adds its kernel to the whole output, of which the pads are cut off."""
    rows, each, r, s = params[0].shape
    groups = node.ints("groups", "1")[0]
    per_group = params[0].reshape(groups, rows // groups, each, r, s).transpose(1, 2)
    whole = F.conv_transpose2d(
        x[0],
        per_group.reshape(groups * each, rows // groups, r, s),
        None,
        tuple(node.ints("strides", "1,1")),
        groups=groups,
        dilation=tuple(node.ints("dilations", "1,1")),
    )
    top, left, bottom, right = node.ints("pads", "0,0,0,0")
    y = F.pad(whole, (-left, -right, -top, -bottom))
    return y + row(params[1]) if len(params) > 1 else y


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


def _clip(node: OracleNode, x: list[torch.Tensor], _: list[torch.Tensor]) -> torch.Tensor:
    low, high = node.number("min", -math.inf), node.number("max", math.inf)
    return F.hardtanh(x[0], low, high)  # no gradient at the bounds, unlike torch.clamp


def _affine(node: OracleNode, x: list[torch.Tensor], params: list[torch.Tensor]) -> torch.Tensor:
    result, left = x[0], list(params)
    if node.flag("has_scale", True):
        result = result * row(left.pop(0))
    if node.flag("has_shift", True):
        result = result + row(left.pop(0))
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


def _prelu(node: OracleNode, x: list[torch.Tensor], params: list[torch.Tensor]) -> torch.Tensor:
    return torch.where(x[0] < 0, row(params[0]) * x[0], x[0])


def _elu(node: OracleNode, x: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
    below = node.number("alpha", 1e-4) * (torch.exp(x.clamp(max=0)) - 1)
    return scale * torch.where(x < 0, below, x)


def _celu(node: OracleNode, x: list[torch.Tensor], _: list[torch.Tensor]) -> torch.Tensor:
    return F.celu(x[0], node.number("alpha", 1e-4))


def _hard_sigmoid(node: OracleNode, x: list[torch.Tensor], _: list[torch.Tensor]) -> torch.Tensor:
    return F.hardtanh(node.number("alpha", 1e-4) * x[0] + node.number("beta", 0.75), 0.0, 1.0)


def _gelu(node: OracleNode, x: list[torch.Tensor], _: list[torch.Tensor]) -> torch.Tensor:
    return F.gelu(x[0], approximate="tanh" if node.flag("approximate") else "none")


def _leaky_relu(node: OracleNode, x: list[torch.Tensor], _: list[torch.Tensor]) -> torch.Tensor:
    return F.leaky_relu(x[0], node.number("alpha", 1e-4))


def _mul(node: OracleNode, x: list[torch.Tensor], _: list[torch.Tensor]) -> torch.Tensor:
    assert x[0].shape[:2] == x[1].shape[:2]
    assert x[0].shape == x[1].shape or 1 in (x[0][0, 0].numel(), x[1][0, 0].numel())
    return x[0] * x[1]


def _extremum(of_two: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Op:
    def apply(node: OracleNode, x: list[torch.Tensor], _: list[torch.Tensor]) -> torch.Tensor:
        assert len({tensor.shape for tensor in x}) == 1
        return functools.reduce(of_two, x)

    return apply


def _layer_norm(
    node: OracleNode, x: list[torch.Tensor], params: list[torch.Tensor]
) -> torch.Tensor:
    left = list(params)
    scale = left.pop(0) if node.flag("has_scale", True) else None
    shift = left.pop(0) if node.flag("has_shift", True) else None
    last = x[0].movedim(1, -1)
    size = (last.shape[-1],)
    return F.layer_norm(last, size, scale, shift, node.number("epsilon", 1e-5)).movedim(-1, 1)


Op = Callable[[OracleNode, list[torch.Tensor], list[torch.Tensor]], torch.Tensor]
OPS: dict[str, Op] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "DepthToSpace": lambda node, x, p: F.pixel_shuffle(x[0], node.ints("block", "1")[0]),
    "SpaceToDepth": lambda node, x, p: F.pixel_unshuffle(x[0], node.ints("block", "1")[0]),
    "Dense": _dense,
    "Affine": _affine,
    "Relu": lambda node, x, p: torch.relu(x[0]),
    "Clip": _clip,
    "Sigmoid": lambda node, x, p: torch.sigmoid(x[0]),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda node, x, p: F.hardswish(x[0]),
    "Silu": lambda node, x, p: F.silu(x[0]),
    "LeakyRelu": _leaky_relu,
    "Elu": lambda node, x, p: _elu(node, x[0]),
    "Selu": lambda node, x, p: _elu(node, x[0], node.number("beta", 0.75)),
    "Celu": _celu,
    "Tanh": lambda node, x, p: torch.tanh(x[0]),
    "Softplus": lambda node, x, p: F.softplus(x[0]),
    "Softsign": lambda node, x, p: F.softsign(x[0]),
    "Gelu": _gelu,
    "Mish": lambda node, x, p: F.mish(x[0]),
    "Erf": lambda node, x, p: torch.erf(x[0]),
    "Exp": lambda node, x, p: torch.exp(x[0]),
    "Log": lambda node, x, p: torch.log(x[0]),
    "Sqrt": lambda node, x, p: torch.sqrt(x[0]),
    "Abs": lambda node, x, p: torch.abs(x[0]),
    "Neg": lambda node, x, p: -x[0],
    "Reciprocal": lambda node, x, p: 1 / x[0],
    "Pow": lambda node, x, p: x[0] ** node.number("exponent", 1.0),
    "PRelu": _prelu,
    "Mul": _mul,
    "Max": _extremum(torch.maximum),
    "Min": _extremum(torch.minimum),
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": lambda node, x, p: x[0].mean(dim=(2, 3), keepdim=True),
    "Resample": lambda node, x, p: resampled(node, x[0]),
    "Add": _add,
    "LRN": _lrn,
    "LayerNormalization": _layer_norm,
    "LogSoftmax": lambda node, x, p: torch.log_softmax(x[0], dim=1),
    "Softmax": lambda node, x, p: torch.softmax(x[0], dim=1),
    "Concat": lambda node, x, p: torch.cat(x, dim=1),
    "Slice": _slice,
    "ChannelShuffle": _shuffle,
    "Flatten": lambda node, x, p: x[0].reshape(len(x[0]), -1, 1, 1),
    "Identity": lambda node, x, p: x[0],
}
