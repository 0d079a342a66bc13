"""hpmp-run over MPI: the ranks agree, count what was predicted, and fail as one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from starting import hpmp_run


def figures(folder: Path, *words: object) -> dict[str, Any]:
    said = hpmp_run(folder, *words, "--json")
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.count("\n") == 1
    result: dict[str, Any] = json.loads(said.stdout)
    return result


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return figures(tmp_path_factory.mktemp("alone"), *DIGITS, "-n", 1)


DIGITS = ("zoo:lenet5", "--data", "digits", "--batch", 96, "--steps", 20)


@pytest.mark.parametrize(
    ("ranks", "strategy"), [(2, "auto"), (2, "filter"), (3, "data"), (3, "auto"), (4, "auto")]
)
def test_ranks_train_alike_and_send_what_was_predicted(
    tmp_path: Path, alone: dict[str, Any], ranks: int, strategy: str
) -> None:
    found = figures(tmp_path, *DIGITS, "-n", ranks, "--strategy", strategy)
    assert found["final_loss"] == pytest.approx(alone["final_loss"], rel=1e-4)  # float32, 20 steps
    assert found["bytes_sent"]["predicted"] == found["bytes_sent"]["counted"] > 0
    assert len(found["peak_memory_bytes"]) == ranks
    assert (tmp_path / "trained.onnx").exists()


def test_progress_is_printed_once_however_many_ranks(tmp_path: Path) -> None:
    said = hpmp_run(tmp_path, *DIGITS, "-n", 2)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.count("trained 20 steps") == 1
    assert said.stdout.count("saved trained.onnx") == 1


def test_inference_agrees_with_one_rank(tmp_path: Path) -> None:
    trained = figures(tmp_path, *DIGITS, "-n", 2)
    inferred = figures(tmp_path, "trained.onnx", "--data", "digits", "--infer", "-n", 2)
    assert inferred["accuracy"] == pytest.approx(trained["accuracy"], abs=1e-9)
    assert inferred["bytes_sent"]["predicted"] == inferred["bytes_sent"]["counted"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("missing.onnx",), "missing.onnx"),
        (("zoo:lenet5", "--data", "digits", "--lr", 1e6, "--warmup", 0), "lower --lr"),
        (("zoo:lenet5", "--data", "digits", "--classes", 5), "0..9"),
        (("zoo:lenet5", "--batch", 65), "batch 65"),
    ],
)
def test_a_mistake_is_told_once_and_ends_all_ranks(
    tmp_path: Path, words: tuple[object, ...], message: str
) -> None:
    said = hpmp_run(tmp_path, *words, "-n", 2, "--json")
    assert said.returncode == 2
    assert said.stdout == ""
    assert said.stderr.count("\n") == 1
    assert message in said.stderr
    assert list(tmp_path.iterdir()) == []
