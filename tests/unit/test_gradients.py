"""Gradients of every operator by float64 differences; an operator without a case here is an error.

Operands are products of one-hot images with weights, so that the gradients of these weights are
those of every element of an operand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from oracle_graph import OracleGraph

import pyhpmp
from pyhpmp import _core

SAMPLES, CLASSES, SHAPE = 4, 3, (4, 5, 6)
STEP = 1e-6
#: Of the largest gradient of the parameter; the engine computes in float32.
TOLERANCE = 1e-4
ELEMENTS = 24  # checked in every parameter
OP_TABLE = Path(__file__).parents[2] / "native" / "graph" / "ops.cpp"
#: The images themselves, and what only inference has.
WITHOUT_GRADIENT = frozenset(("Input", "Output"))
#: What every case runs behind its operator, from which all gradients come.
ALWAYS = ("Flatten", "Dense", "Loss")


@dataclass(frozen=True)
class Case:
    """params: (role, dims). low, high: of the operands' elements. maps: the op makes the logits."""

    attributes: str = ""
    operands: int = 1
    params: tuple[tuple[str, tuple[int, ...]], ...] = ()
    shape: tuple[int, int, int] = SHAPE
    low: float = -2
    high: float = 2
    maps: bool = False


C = SHAPE[0]
SCALE, SHIFT = ("scale", (C,)), ("shift", (C,))
NORMALISED = (SCALE, SHIFT, ("running_mean", (C,)), ("running_var", (C,)))
WINDOW = "kernel=3,2 strides=2,1 pads=1,0,1,1"
POSITIVE: dict[str, float] = {"low": 0.5, "high": 3}
HALVED = "extent=10,12 rows=0.5,1,2,-0.5 columns=0.5,1,2,-0.5 interpolation="

CASES: dict[str, tuple[Case, ...]] = {
    "Conv": (
        Case(WINDOW, params=(("weight", (6, C, 3, 2)), ("bias", (6,)))),
        Case("kernel=3,3 groups=2 dilations=2,1", params=(("weight", (6, 2, 3, 3)),)),
        Case("kernel=3,3 groups=4 pads=1,1,1,1", params=(("weight", (4, 1, 3, 3)),)),
    ),
    "ConvTranspose": (
        Case("kernel=3,2 strides=2,2 pads=1,0,0,0", params=(("weight", (3, C, 3, 2)),)),
        Case("kernel=2,2 groups=2", params=(("weight", (6, 2, 2, 2)), ("bias", (6,)))),
    ),
    "BatchNormalization": (Case(params=NORMALISED),),
    "Affine": (Case(params=(SCALE, SHIFT)), Case("has_shift=0", params=(SCALE,))),
    "LayerNormalization": (Case(params=(SCALE, SHIFT)),),
    "LRN": (Case("size=3 alpha=0.5 beta=0.75 bias=1"),),
    "Clip": (Case("min=-1 max=1.5"),),
    "HardSigmoid": (Case("alpha=0.2 beta=0.5", low=-4, high=4),),
    "HardSwish": (Case(low=-4, high=4),),
    "LeakyRelu": (Case("alpha=0.125"),),
    "Elu": (Case("alpha=0.75"),),
    "Selu": (Case("alpha=1.5 beta=1.25"),),
    "Celu": (Case("alpha=1.5"),),
    "Gelu": (Case(), Case("approximate=1")),
    "Log": (Case(**POSITIVE),),
    "Sqrt": (Case(**POSITIVE),),
    "Reciprocal": (Case(**POSITIVE),),
    "Pow": (Case("exponent=-1.5", **POSITIVE), Case("exponent=3")),
    "PRelu": (Case(params=(("slope", (C,)),)), Case(params=(("slope", (1,)),))),
    "Mul": (Case(operands=2),),
    "Max": (Case(operands=3),),
    "Min": (Case(operands=2),),
    "Add": (Case(operands=3),),
    "MaxPool": (Case(WINDOW), Case("kernel=2,2 strides=2,2 ceil_mode=1")),
    "AveragePool": (Case(WINDOW), Case(WINDOW + " count_include_pad=1")),
    "Resample": (
        Case(HALVED + "linear"),
        Case(HALVED + "cubic"),
        Case("extent=7,8 rows=-1,1,1,0 columns=-1,1,1,0 border=reflect"),
    ),
    "Dropout": (Case("ratio=0.25"), Case("ratio=0.5 per_sample=1")),
    "DepthToSpace": (Case("block=2"),),
    "SpaceToDepth": (Case("block=2", shape=(4, 4, 6)),),
    "Concat": (Case(operands=2),),
    "Slice": (Case("range=1,3"),),
    "ChannelShuffle": (Case("groups=2"),),
    "Loss": (Case(maps=True),),
}
PLAIN = (
    *("Relu", "Sigmoid", "Silu", "Tanh", "Softplus", "Softsign", "Mish", "Erf", "Exp", "Abs"),
    *("Neg", "GlobalAveragePool", "Softmax", "LogSoftmax", "Identity", "Flatten", "Dense"),
)
CASES |= {op: (Case(),) for op in PLAIN}


def text_of(op: str, case: Case) -> str:
    """Operands, the operator, and, unless it makes the logits of maps, a dense layer."""
    c, h, w = (CLASSES, *case.shape[1:]) if case.maps else case.shape
    names = [f"in{i}" for i in range(case.operands)]
    lines = ["hpmp-graph 1", f"input x {SAMPLES} 1 1"]
    lines += [f"param {name}.w weight {c} {SAMPLES} {h} {w}" for name in names]
    lines += [
        f"param op.{i} {role} {' '.join(map(str, dims))}"
        for i, (role, dims) in enumerate(case.params)
    ]
    for name in names:
        lines.append(f"node ConvTranspose {name} : x : {name}.w : {name} kernel={h},{w}")
    if op in ALWAYS:
        last = names[0]
    else:
        params = " ".join(f"op.{i}" for i in range(len(case.params)))
        lines.append(f"node {op} op : {' '.join(names)} : {params} : op {case.attributes}")
        last = "op"
    if not case.maps:
        shape = _core.Graph.parse("\n".join([*lines, f"output {last}", ""])).outputs[0].shape
        features = int(np.prod(shape))
        lines.insert(2, f"param head.w weight {CLASSES} {features}")
        lines.insert(3, f"param head.b bias {CLASSES}")
        lines += [f"node Flatten flat : {last} : : flat", "node Dense y : flat : head.w head.b : y"]
        last = "y"
    return "\n".join([*lines, f"output {last}", ""])


def drawn(core: _core.Graph, case: Case, chance: np.random.Generator) -> dict[str, np.ndarray]:
    params = {}
    for info in core.params:
        low, high = (case.low, case.high) if info.name.startswith("in") else (-1, 1)
        if info.role in ("running_var", "slope"):
            low, high = 0.25, 1
        if info.name == "head.w":
            low, high = -0.25, 0.25
        params[info.name] = chance.uniform(low, high, info.dims).astype(np.float32)
    return params


def loss_of(
    text: str, params: dict[str, np.ndarray], labels: np.ndarray, mask: np.ndarray | None
) -> float:
    """In float64, by the definitions of the operators."""
    graph = OracleGraph(text, params)
    images = torch.eye(SAMPLES, dtype=torch.float64).reshape(SAMPLES, SAMPLES, 1, 1)
    with torch.no_grad():
        values = graph.run(
            images,
            training=True,
            dropout=None if mask is None else lambda _, x: x * torch.from_numpy(mask),
        )
        logits = values[graph.outputs[0]]
        logits = logits.reshape(SAMPLES, CLASSES, *labels.shape[1:])
        return float(torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels)))


def kept(gradient: np.ndarray, ratio: float) -> np.ndarray:
    """A dropout's factors, from which elements of its operand have a gradient."""
    per_element = gradient.transpose(1, 0, 2, 3)  # (samples, C, H, W)
    return (per_element != 0) / (1 - ratio)


def check(op: str, case: Case, seed: int) -> None:
    chance = np.random.default_rng(seed)
    text = text_of(op, case)
    core = _core.Graph.parse(text)
    params = drawn(core, case, chance)
    labels = chance.integers(0, CLASSES, (SAMPLES, *case.shape[1:]) if case.maps else SAMPLES)
    graph = pyhpmp.graph.Graph(op, core, params)
    plan = pyhpmp.plan(graph, ranks=1, batch=SAMPLES, bn_group=SAMPLES, seconds=0)
    trainer = pyhpmp.Trainer(plan, optimizer=pyhpmp.SGD(lr=1e-3), threads=1)
    loss = trainer.step(np.eye(SAMPLES, dtype=np.float32).reshape(SAMPLES, -1, 1, 1), labels)
    grads = trainer.engine.grads()
    mask = None
    if op == "Dropout":
        mask = kept(grads["in0.w"], float(re.findall(r"ratio=([\d.]+)", case.attributes)[0]))
        assert 0 < (mask == 0).mean() < 1
    exact = {name: array.astype(np.float64) for name, array in params.items()}
    assert loss == pytest.approx(loss_of(text, exact, labels, mask), rel=1e-5)
    assert grads.keys() == {info.name for info in core.params if info.trainable}
    for name, gradient in grads.items():
        largest = float(abs(gradient).max())
        for at in chance.choice(gradient.size, min(ELEMENTS, gradient.size), replace=False):
            sides = []
            for step in (STEP, -STEP):
                moved = exact[name].copy()
                moved.flat[at] += step
                sides.append(loss_of(text, exact | {name: moved}, labels, mask))
            difference = (sides[0] - sides[1]) / (2 * STEP)
            assert abs(gradient.flat[at] - difference) <= TOLERANCE * largest + 1e-8, (name, at)


def test_every_operator_of_the_table_has_a_case() -> None:
    table = re.findall(r'\{OpKind::\w+, "(\w+)", C::', OP_TABLE.read_text())
    assert len(table) > 40
    assert CASES.keys() == set(table) - WITHOUT_GRADIENT


@pytest.mark.parametrize("op", sorted(CASES))
def test_gradients_are_float64_differences(op: str) -> None:
    for seed, case in enumerate(CASES[op]):
        check(op, case, seed)
