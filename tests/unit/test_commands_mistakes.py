"""A user's mistake is one clear line on stderr, exit code 2, and leaves no file behind."""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from command_line import Said, say
from onnx import TensorProto, helper

import pyhpmp
from pyhpmp import _core, relief
from pyhpmp.commands import plan as plan_command
from pyhpmp.commands import run as run_command

Run = Callable[..., Said]


@pytest.fixture(autouse=True)
def in_empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return lambda *words: say(capsys, run_command.main, *words)


@pytest.fixture
def plan(capsys: pytest.CaptureFixture[str]) -> Run:
    return lambda *words: say(capsys, plan_command.main, *words)


def write_model(
    name: str, nodes: list[onnx.NodeProto], opset: int = 21, weights: bool = False
) -> None:
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 8])
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    held = [helper.make_tensor("w", TensorProto.FLOAT, [4, 3, 1, 1], [0.1] * 12)]
    graph = helper.make_graph(nodes, "g", [image], [output], held if weights else [])
    opsets = [helper.make_opsetid("", opset)]
    Path(name).write_bytes(
        helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()
    )


def test_a_missing_model_file(run: Run) -> None:
    said = run("missing.onnx", "--data", "digits")
    assert said.is_one_line_mistake()
    assert "missing.onnx" in said.err


def test_a_file_that_is_not_onnx(run: Run) -> None:
    Path("picture.onnx").write_bytes(b"\x89PNG\r\n" + bytes(500))
    assert run("picture.onnx").is_one_line_mistake()


def test_a_truncated_model_file(run: Run) -> None:
    assert run("zoo:lenet5", "--data", "digits", "--steps", 1).code == 0
    whole = Path("trained.onnx").read_bytes()
    Path("half.onnx").write_bytes(whole[: len(whole) // 2])
    assert run("half.onnx").is_one_line_mistake()


def test_unsupported_operators_are_all_listed(run: Run) -> None:
    write_model(
        "ops.onnx",
        [
            helper.make_node("Hardmax", ["x"], ["a"], name="first"),
            helper.make_node("Det", ["a"], ["y"], name="second"),
        ],
    )
    said = run("ops.onnx")
    assert said.is_one_line_mistake()
    assert "Hardmax" in said.err
    assert "Det" in said.err


def test_an_opset_that_does_not_exist(run: Run) -> None:
    write_model("opset.onnx", [helper.make_node("Relu", ["x"], ["y"])], opset=999)
    said = run("opset.onnx")
    assert said.is_one_line_mistake()
    assert "999" in said.err


def test_a_cyclic_graph(run: Run) -> None:
    write_model(
        "cycle.onnx",
        [
            helper.make_node("Add", ["x", "b"], ["a"]),
            helper.make_node("Relu", ["a"], ["b"]),
            helper.make_node("Relu", ["b"], ["y"]),
        ],
    )
    assert run("cycle.onnx").is_one_line_mistake()


def test_an_unknown_zoo_network_lists_the_known_ones(run: Run) -> None:
    said = run("zoo:resnet21")
    assert said.is_one_line_mistake()
    assert "resnet20" in said.err


def test_zoo_overrides_for_a_file(run: Run) -> None:
    write_model("relu.onnx", [helper.make_node("Relu", ["x"], ["y"])])
    assert run("relu.onnx", "--classes", 5).is_one_line_mistake()


@pytest.mark.parametrize(
    "words", [("-n", 3, "--batch", 64), ("-n", 2, "--batch", 64, "--shards", 3)]
)
def test_a_batch_that_ranks_or_shards_do_not_divide(plan: Run, words: tuple[object, ...]) -> None:
    said = plan("zoo:lenet5", *words)
    assert said.is_one_line_mistake()
    assert "64" in said.err


def test_more_ranks_than_cells(plan: Run) -> None:
    said = plan("zoo:lenet5", "-n", 4096, "--batch", 4096, "--shards", 1)
    assert said.is_one_line_mistake()
    assert "4096 ranks" in said.err


def test_more_ranks_than_can_be_planned(plan: Run) -> None:
    said = plan("zoo:lenet5", "-n", 100_000, "--batch", 100_000)
    assert said.is_one_line_mistake()
    assert "at most 4096" in said.err


def test_shards_that_cut_statistics_groups(plan: Run) -> None:
    said = plan("zoo:resnet20", "-n", 2, "--batch", 64, "--shards", 8)
    assert said.is_one_line_mistake()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Advice is looked for to its end, however busy the machine is."""
    monkeypatch.setattr(relief, "SECONDS", 200.0)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("strategy", ["auto", "hypergraph", "layer"])
def test_a_memory_limit_that_nothing_fits_says_by_how_much(plan: Run, strategy: str) -> None:
    words = ("--strategy", strategy, "--memory", 0.0001, "--plan-seconds", 3)
    said = plan("zoo:lenet5", "-n", 2, *words)
    assert said.is_one_line_mistake()
    assert "too much; " in said.err
    assert "raise --memory" in said.err


@pytest.mark.usefixtures("patient")
def test_what_would_fit_a_memory_limit_is_named_and_does_fit(plan: Run) -> None:
    words = ("zoo:lenet5", "--memory", 0.00045, "--plan-seconds", 3)
    said = plan(*words, "-n", 2, "--batch", 128)
    assert said.is_one_line_mistake()
    found = re.search(r"it would fit at (\d+) ranks or at batch (\d+)$", said.err.strip())
    assert found is not None, said.err
    assert plan(*words, "-n", found[1], "--batch", 128).code == 0
    assert plan(*words, "-n", 2, "--batch", found[2]).code == 0


def test_classes_in_the_data_beyond_the_models_outputs(run: Run) -> None:
    said = run("zoo:lenet5", "--classes", 5, "--data", "digits")
    assert said.is_one_line_mistake()  # before anything is planned
    assert "0..9" in said.err
    assert "5 outputs" in said.err


def test_a_loss_that_is_not_finite_names_step_and_cure_and_saves_nothing(run: Run) -> None:
    said = run("zoo:lenet5", "--data", "digits", "--lr", 1e6, "--warmup", 0, "--json")
    assert said.is_one_line_mistake()
    assert "in step" in said.err
    assert "lower --lr" in said.err
    assert list(Path().iterdir()) == []


def test_a_data_set_smaller_than_a_batch(run: Run) -> None:
    np.savez("small.npz", x=np.zeros((4, 1, 32, 32), np.float32), y=np.zeros(4, np.int64))
    said = run("zoo:lenet5", "--data", "npz:small.npz", "--json")
    assert said.is_one_line_mistake()
    assert "smaller --batch" in said.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "name a model"),
        (("zoo:lenet5", "--lr", "fast"), "--lr"),
        (("zoo:lenet5", "--lr", "nan"), "--lr"),
        (("zoo:lenet5", "--dtype", "fp16"), "--dtype"),
        (("zoo:lenet5", "-n", "0"), "-n"),
        (("zoo:lenet5", "--strategy", "luck"), "luck"),
        (("zoo:lenet5", "--nonsense"), "--nonsense"),
        (("zoo:lenet5", "--target-accuracy", "101%"), "accuracy"),
        (("zoo:lenet5", "--data", "cifar11"), "cifar11"),
        (("zoo:lenet5", "--data", "npz:missing.npz"), "missing.npz"),
        (("zoo:lenet5", "--network", "fast"), "fast"),
        (("zoo:lenet5", "--strategy", "file:missing.hpmp"), "missing.hpmp"),
        (("zoo:lenet5", "--data", "digits", "--save", "no/where.onnx"), "no/where.onnx"),
        (("zoo:lenet5", "--steps", "1", "--target-accuracy", "0.9"), "test part"),
        (("zoo:lenet5", "--infer", "--save", "o.onnx"), "--save"),
        (("zoo:lenet5", "-n", "-1"), "-n"),
        (("zoo:lenet5", "--memory", "0"), "--memory"),
        (("zoo:lenet5", "--memory", "-2"), "--memory"),
        (("zoo:lenet5", "--memory", "nan"), "--memory"),
        (("zoo:lenet5", "--memory", "inf"), "--memory"),
        (("zoo:lenet5", "--epsilon", "-0.1"), "--epsilon"),
        (("zoo:lenet5", "--epsilon", "nan"), "--epsilon"),
        (("zoo:lenet5", "--shards", "0"), "--shards"),
        (("zoo:lenet5", "--batch", "0"), "--batch"),
        (("zoo:lenet5", "--plan-seconds", "nan"), "--plan-seconds"),
        (("missing.onnx", "--report", "."), "cannot write"),
        (("missing.onnx", "--report", "no/where.html"), "no/where.html"),
    ],
)
def test_a_flag_that_makes_no_sense(run: Run, words: tuple[str, ...], message: str) -> None:
    said = run(*words, "--json")
    assert said.is_one_line_mistake()
    assert message in said.err


def test_bf16_on_a_processor_that_does_not_compute_with_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_core, "runs_dtype", lambda dtype, device="cpu": dtype == "fp32")
    said = run("zoo:lenet5", "--dtype", "bf16", "--steps", "1")
    assert said.is_one_line_mistake()
    assert "use --dtype fp32" in said.err


def test_a_plan_for_another_dtype(run: Run, plan: Run) -> None:
    assert plan("zoo:lenet5", "-n", 1, "--dtype", "bf16", "--save", "half.hpmp").code == 0
    said = run("zoo:lenet5", "--strategy", "file:half.hpmp", "--json")
    assert said.is_one_line_mistake()
    assert "use --dtype bf16" in said.err


def test_a_report_that_cannot_be_written_is_noticed_before_planning(plan: Run) -> None:
    said = plan("missing.onnx", "-n", 2, "--report", "no/where.html")
    assert said.is_one_line_mistake()
    assert "no/where.html" in said.err


@pytest.mark.parametrize(
    "wish",
    [
        {"ranks": 0},
        {"ranks": -1},
        {"batch": 0},
        {"epsilon": -0.1},
        {"epsilon": math.nan},
        {"memory": -1.0},
        {"memory": math.nan},
        {"memory": math.inf},
        {"strategy": "luck"},
        {"objective": "luck"},
        {"shards": 0},
        {"shards": 3},
        {"strategy": "file:"},
        {"dtype": "fp16"},
    ],
)
def test_a_wish_of_python_that_no_plan_can_mean(wish: dict[str, Any]) -> None:
    graph = pyhpmp.load("zoo:lenet5")
    wishes: dict[str, Any] = {"ranks": 2, "batch": 64, "seconds": 0.1} | wish
    with pytest.raises((pyhpmp.InvalidArgumentError, pyhpmp.InfeasiblePlanError)):
        pyhpmp.plan(graph, **wishes)


def test_a_plan_for_another_model_or_run(run: Run, plan: Run) -> None:
    assert plan("zoo:lenet5", "-n", 2, "--save", "two.hpmp").code == 0
    for words in (
        ("zoo:lenet5", "--strategy", "file:two.hpmp"),
        ("zoo:resnet20", "--strategy", "file:two.hpmp"),
    ):
        assert run(*words, "--json").is_one_line_mistake()


def test_a_plan_file_that_was_cut_off(plan: Run) -> None:
    assert plan("zoo:lenet5", "-n", 2, "--save", "p.hpmp").code == 0
    text = Path("p.hpmp").read_text()
    Path("cut.hpmp").write_text(text[: len(text) // 2])
    said = plan("zoo:lenet5", "-n", 2, "--strategy", "file:cut.hpmp")
    assert said.is_one_line_mistake()


def test_debug_shows_where_an_error_comes_from(run: Run) -> None:
    said = run("missing.onnx", "--debug")
    assert said.code == 2
    assert "Traceback" in said.err


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root may write")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    drop = ["setpriv", "--reuid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    code = (
        "from pyhpmp.files import check_writable\n"
        "from pyhpmp.errors import InvalidArgumentError\n"
        "try:\n    check_writable('o.onnx')\n"
        "except InvalidArgumentError as error:\n    print(error)\n"
    )
    said = subprocess.run(
        [*drop, sys.executable, "-c", code], cwd=folder, capture_output=True, text=True
    )
    if said.returncode != 0:
        pytest.skip("another user cannot read this environment")
    assert "cannot write o.onnx" in said.stdout
