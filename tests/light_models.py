"""The light models of the onnx package, with random weights in the place of their constants."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

FOLDER = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
LIGHT_MODELS = tuple(sorted(p.stem.removeprefix("light_") for p in FOLDER.glob("light_*.onnx")))
#: Residual networks add up; smaller weights keep their softmax away from 0 and 1.
GAINS = {"resnet50": 0.4, "shufflenet": 0.4}


def refilled(name: str) -> onnx.ModelProto:
    """The light model with random initializers in the place of its constant fills."""
    model = onnx.load(FOLDER / f"light_{name}.onnx")
    graph, gain = model.graph, GAINS.get(name, 0.7)
    rng = np.random.default_rng(11)
    shapes = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    slots = {value: slot for node in graph.node for slot, value in enumerate(node.input)}
    variances = {node.input[4] for node in graph.node if node.op_type == "BatchNormalization"}
    kept = []
    for node in graph.node:
        if node.op_type != "ConstantOfShape":
            kept.append(node)
            continue
        shape = tuple(int(d) for d in shapes[node.input[0]])
        value = node.output[0]
        if value in variances:
            array = rng.uniform(0.5, 1.5, shape).astype(np.float32)
        elif len(shape) > 1:
            array = rng.standard_normal(shape, dtype=np.float32)
            array *= np.float32(gain * np.sqrt(2 / np.prod(shape[1:])))
        else:
            # Scales near 1, everything else near 0.
            array = rng.uniform(-0.1, 0.1, shape).astype(np.float32) + (slots[value] == 1)
        graph.initializer.append(numpy_helper.from_array(array.astype(np.float32), value))
    del graph.node[:]
    graph.node.extend(kept)
    model.ir_version = 4
    return model
