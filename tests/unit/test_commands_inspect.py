"""`hpmp-plan --inspect` shows everything in a model, also in one that cannot be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from command_line import Said, say
from onnx.helper import make_node
from onnx_reference import make_model

from pyhpmp.commands import plan


def inspect(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, model: onnx.ModelProto, *words: str
) -> Said:
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return say(capsys, plan.main, path, "--inspect", *words)


def weight(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def network() -> onnx.ModelProto:
    """A tied convolution, a batch-norm whose scale and variance are one tensor, a fold."""
    nodes = [
        make_node("Identity", ["w"], ["same"]),
        make_node("Conv", ["x", "w"], ["a"], pads=[1] * 4),
        make_node("Conv", ["a", "w"], ["b"], pads=[1] * 4),
        make_node("BatchNormalization", ["b", "one", "zero", "zero", "one"], ["n"]),
        make_node("Add", ["two", "two"], ["four"]),
        make_node("Mul", ["n", "four"], ["m"]),
        make_node("Conv", ["m", "same"], ["y"], pads=[1] * 4),
    ]
    ones, zeros = np.ones(4, np.float32), np.zeros(4, np.float32)
    weights = {"w": weight(4, 4, 3, 3), "one": ones, "zero": zeros, "two": np.float32(2)}
    weights["spare"] = weight(7)
    return make_model(nodes, {name: np.asarray(array) for name, array in weights.items()})


def test_a_network_is_shown_with_its_parameters(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    said = inspect(capsys, tmp_path, network(), "--json")
    assert (said.code, said.err) == (0, "")
    shown = said.json
    assert shown["supported"] is True
    assert shown["inputs"] == [{"name": "x", "type": "float (N, 4, 6, 6)"}]
    rows = {row["name"]: row for row in shown["parameters"]}
    assert rows["w"]["readers"] == 2
    kinds = [(row["role"], row["kind"]) for row in shown["parameters"]]
    assert kinds == [
        ("weight", "trainable"),
        ("scale", "trainable"),
        ("shift", "trainable"),
        ("running_mean", "state"),
        ("running_var", "state"),
        ("scale", "frozen"),
        ("weight", "trainable"),
    ]
    assert [row["initializer"] for row in shown["untied"]] == ["zero", "one"]
    assert shown["parameter_elements"] == {"trainable": 2 * 144 + 8, "state": 8, "frozen": 4}
    assert shown["folded_nodes"] == 2
    assert shown["unused"] == ["spare"]
    operators = {row["name"]: (row["nodes"], row["folded"]) for row in shown["operators"]}
    assert operators["Conv"] == (3, 0)
    assert operators["Add"] == (1, 1)
    assert shown["recipe"] is None


def test_the_same_is_said_to_people(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    said = inspect(capsys, tmp_path, network())
    assert said.code == 0
    for text in ("input x: float (N, 4, 6, 6)", "BatchNormalization", "4 x 4 x 3 x 3", "2 readers"):
        assert text in said.out
    assert "folded: 2 nodes into 145 constant elements" in said.out
    assert "unused: initializer spare" in said.out


def test_an_unsupported_network_is_shown_whole(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    nodes = [
        make_node("Conv", ["x", "w"], ["a"]),
        make_node("NoSuchOp", ["a"], ["b"], name="no_1"),
        make_node("Sin", ["b"], ["c"], name="sin\x1b[2J"),
        make_node("Conv", ["c", "v"], ["y"]),
    ]
    nodes.insert(2, make_node("Identity", ["v"], ["same"]))
    nodes[-1].input[1] = "same"
    weights = {"w": weight(4, 4, 3, 3), "v": weight(4, 4, 3, 3), "spare": weight(7)}
    model = make_model(nodes, weights)
    said = inspect(capsys, tmp_path, model)
    assert said.code == 2
    assert "not supported: NoSuchOp 'no_1': the operator is unknown" in said.out
    assert "not supported: Sin 'sin\\x1b[2J'" in said.out
    reached = "not reached: initializer v, behind the unsupported op NoSuchOp 'no_1'\n"
    assert reached in said.out
    assert "unused: initializer spare\n" in said.out
    assert "torch.onnx.export(" in said.out
    shown = inspect(capsys, tmp_path, model, "--json").json
    assert [row["operator"] for row in shown["unsupported"]] == ["NoSuchOp", "Sin"]
    assert shown["parameters"][0]["name"] == "w"
    assert shown["unreached"] == [{"initializer": "v", "op": "NoSuchOp", "node": "no_1"}]
    assert shown["unused"] == ["spare"]
    assert "torch.onnx.export(" in shown["recipe"]


def test_a_folded_batch_norm_is_warned_of_with_the_recipe(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    nodes = [
        make_node("Conv", ["x", "w"], ["getitem"], pads=[1] * 4),
        make_node("Relu", ["getitem"], ["y"]),
    ]
    said = inspect(capsys, tmp_path, make_model(nodes, {"w": weight(4, 4, 3, 3)}))
    assert said.code == 0
    assert said.out.count("torch.onnx.export(") == 1
    assert "batch-normalization looks folded into 1 convolutions" in said.out


def test_a_file_that_is_refused_as_a_whole_is_shown_as_far_as_it_goes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    model = make_model([make_node("Relu", ["x"], ["y"])], opset=999)
    said = inspect(capsys, tmp_path, model)
    assert said.code == 2
    assert "input x: float" in said.out
    assert "error: cannot import" in said.out
    assert "opset 999 is outside" in said.out
    missing = say(capsys, plan.main, tmp_path / "no.onnx", "--inspect", "--json")
    assert missing.code == 2
    assert missing.json["error"].endswith("no such file")


def test_a_zoo_network_can_be_inspected(capsys: pytest.CaptureFixture[str]) -> None:
    said = say(capsys, plan.main, "zoo:resnet20", "--inspect", "--json")
    assert said.code == 0
    assert said.json["parameter_elements"]["trainable"] == 272_474
    assert say(capsys, plan.main, "zoo:nothing", "--inspect").is_one_line_mistake()
