"""Runs a native graph's text with torch: slow, plain, and independent of the engine.

Every op is written from its ONNX definition with torch's tensor functions, so that autograd gives
reference gradients: `OracleGraph(text, params).run(images, training=True)`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from oracle_ops import OPS, OracleNode, normalised, row

_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')


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
                result = OPS[node.op](node, operands, params)
            values[node.output] = result
        return values

    def _batch_norm(
        self, node: OracleNode, x: torch.Tensor, params: list[torch.Tensor], training: bool
    ) -> torch.Tensor:
        scale, shift, mean, var = params
        epsilon, momentum = node.number("epsilon", 1e-5), node.number("momentum", 0.9)
        if not training:
            return normalised(x, mean, var, epsilon) * row(scale) + row(shift)
        groups = x.reshape(-1, self.bn_group, *x.shape[1:])
        means = groups.mean(dim=(1, 3, 4))
        variances = groups.var(dim=(1, 3, 4), unbiased=False)
        parts = [
            normalised(g, m, v, epsilon) for g, m, v in zip(groups, means, variances, strict=True)
        ]
        with torch.no_grad():
            for name, old, batch in (
                (node.params[2], mean, means),
                (node.params[3], var, variances),
            ):
                self.running[name] = momentum * old + (1 - momentum) * batch.mean(dim=0)
        return torch.cat(parts) * row(scale) + row(shift)
