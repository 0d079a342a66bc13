"""Training and inference on bf16 activations: near fp32, with half the bytes of activations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import tiny_network as tiny

import pyhpmp
from pyhpmp import _core, local

STEPS = 5
computes = pytest.mark.skipif(not _core.runs_dtype("bf16"), reason="bf16 on the CPU takes AVX-512")
Trained = tuple[list[float], pyhpmp.Plan, int, dict[str, np.ndarray]]


def trained(ranks: int, strategy: str, dtype: str) -> Trained:
    """Losses of some steps, the plan, bytes counted in a step, and the trained weights."""

    def work(rank: int) -> Trained:
        plan = pyhpmp.plan(
            tiny.graph(rank), batch=16, strategy=strategy, bn_group=4, shards=4, dtype=dtype
        )
        trainer = pyhpmp.Trainer(plan, pyhpmp.SGD(lr=0.1, momentum=0.9, weight_decay=1e-3))
        losses = [trainer.step(*tiny.batch(seed=step)) for step in range(STEPS)]
        return losses, plan, trainer.bytes_sent() // STEPS, trainer.params()

    return local.run(ranks, work)[0]


@pytest.fixture(scope="module")
def alone() -> Trained:
    return trained(1, "data", "bf16")


@computes
def test_the_losses_are_those_of_fp32_within_a_percent(alone: Trained) -> None:
    np.testing.assert_allclose(alone[0], trained(1, "data", "fp32")[0], rtol=0.01)


@computes
@pytest.mark.parametrize("strategy", ["data", "layer", "filter", "owt", "hypergraph"])
def test_ranks_train_as_one_does_and_send_the_bytes_that_were_predicted(
    alone: Trained, strategy: str
) -> None:
    losses, plan, counted, params = trained(2, strategy, "bf16")
    np.testing.assert_allclose(losses, alone[0], rtol=0.01)
    assert counted == plan.volume_bytes
    row = plan.comparison.row(plan.comparison.chosen)
    assert row is not None
    assert row.total_bytes == plan.volume_bytes
    assert all(array.dtype == np.float32 for array in params.values())


def test_activations_take_two_bytes_and_parameters_four() -> None:
    graph = tiny.graph(0)
    for strategy in ("data", "layer"):
        wide = pyhpmp.plan(graph, ranks=2, batch=16, strategy=strategy, bn_group=4)
        plan = pyhpmp.plan(graph, ranks=2, batch=16, strategy=strategy, bn_group=4, dtype="bf16")
        core = plan.core
        assert core.dtype == "bf16"
        assert core.activation_elems == wide.core.activation_elems
        assert core.activation_bytes == 2 * core.activation_elems
        assert core.parameter_bytes == 4 * core.parameter_elems
        table = core.message_table()
        assert int(table.bytes.sum()) == plan.volume_bytes
        assert core.rank(0).arena_bytes < wide.core.rank(0).arena_bytes
        assert core.rank(0).param_bytes == wide.core.rank(0).param_bytes
        assert plan.as_dict()["dtype"] == "bf16"
        assert _core.Plan.parse(core.text()).dtype == "bf16"


@computes
def test_exported_weights_are_the_fp32_masters_that_inference_then_runs(tmp_path: Path) -> None:
    graph = pyhpmp.load("zoo:lenet5")
    plan = pyhpmp.plan(graph, ranks=1, batch=16, dtype="bf16")
    trainer = pyhpmp.Trainer(plan, pyhpmp.SGD(lr=0.01))
    images = np.random.default_rng(1).standard_normal((16, *graph.input_shape), np.float32)
    trainer.step(images, np.arange(16) % graph.classes)
    trainer.save_onnx(tmp_path / "m.onnx")
    model = onnx.load(tmp_path / "m.onnx")
    kinds = {i.data_type for i in model.graph.initializer}
    assert onnx.TensorProto.FLOAT in kinds
    assert onnx.TensorProto.BFLOAT16 not in kinds
    saved = pyhpmp.load(tmp_path / "m.onnx")
    wide, narrow = (
        pyhpmp.Session(pyhpmp.plan(saved, ranks=1, batch=16, training=False, dtype=dtype))(images)
        for dtype in _core.DTYPES
    )
    assert narrow.dtype == np.float32
    assert not np.array_equal(narrow, wide)
    np.testing.assert_allclose(narrow, wide, atol=0.02 * np.abs(wide).max())


def test_a_profile_of_bf16_predicts_a_step_of_bf16_as_it_stands() -> None:
    graph = tiny.graph(0).core.prepare()
    grids = {d: _core.Hypergraph(graph, batch=16, bn_group=4, dtype=d) for d in _core.DTYPES}
    part = grids["fp32"].baseline("data", 1)

    def seconds(dtype: str, measured: str) -> float:
        machine = {"flops_per_second": 1e9, "memory_bytes_per_second": 1e9, "dtype": measured}
        return grids[dtype].predict(part, 1, machine).step_seconds

    assert seconds("bf16", "fp32") < seconds("fp32", "fp32")
    assert seconds("bf16", "bf16") == pytest.approx(seconds("fp32", "fp32"))
    assert seconds("fp32", "bf16") > seconds("bf16", "bf16")
