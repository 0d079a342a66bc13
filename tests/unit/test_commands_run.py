"""hpmp-run on one rank: what it prints, writes and returns."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from command_line import Said, say

from pyhpmp.commands.run import main

Run = Callable[..., Said]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    return lambda *words: say(capsys, main, *words)


FIGURES = {
    "final_loss",
    "accuracy",
    "mean_iou",
    "samples_per_second",
    "step_seconds",
    "data_wait_fraction",
    "bytes_sent",
    "bytes_sent_by",
    "peak_memory_bytes",
    "time_to_target_seconds",
}
PLAN = {
    "model",
    "ranks",
    "batch",
    "dtype",
    "optimizer",
    "bn",
    "bn_group",
    "chosen",
    "recomputed",
    "strategies",
    "data_parallel_crossover_batch",
}


def test_training_prints_plan_progress_and_result_and_saves_the_model(
    run: Run, tmp_path: Path
) -> None:
    said = run("zoo:lenet5", "--data", "digits", "--epochs", 2)
    assert (said.code, said.err) == (0, "")
    assert "zoo:lenet5" in said.out.splitlines()[0]
    assert "epoch 1/2" in said.out
    assert "epoch 2/2" in said.out
    assert "test accuracy" in said.out
    assert "predicted 0, counted 0" in said.out
    assert said.out.endswith("saved trained.onnx\n")
    onnx.checker.check_model(onnx.load(tmp_path / "trained.onnx"))


def test_digits_are_learned(run: Run) -> None:
    said = run(
        "zoo:lenet5",
        "--data",
        "digits",
        "--json",
        "--target-accuracy",
        "95%",
    )
    assert said.code == 0
    assert said.json["accuracy"] >= 0.95
    assert 0 < said.json["time_to_target_seconds"] < 300


def test_json_is_one_object_with_every_field_and_nothing_else(run: Run) -> None:
    said = run("zoo:lenet5", "--data", "digits", "--steps", 3, "--json")
    assert (said.code, said.err) == (0, "")
    assert said.out.count("\n") == 1
    assert set(said.json) == FIGURES | PLAN
    assert set(said.json["step_seconds"]) == {"median", "p10", "p90", "predicted"}
    assert said.json["bytes_sent"] == {"predicted": 0, "counted": 0}
    assert said.json["time_to_target_seconds"] is None
    assert 0 <= said.json["data_wait_fraction"] < 1
    assert len(said.json["peak_memory_bytes"]) == 1


def test_without_data_it_times_synthetic_images_says_so_and_saves_nothing(
    run: Run, tmp_path: Path
) -> None:
    said = run("zoo:lenet5", "--steps", 3)
    assert said.code == 0
    assert "synthetic" in said.out
    assert "accuracy" not in said.out.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_quiet_prints_only_the_result(run: Run) -> None:
    said = run("zoo:lenet5", "--steps", 2, "-q")
    assert said.out.startswith("trained 2 steps")


def test_the_same_seed_gives_the_same_curve_and_another_does_not(run: Run) -> None:
    losses = [
        run("zoo:lenet5", "--data", "digits", "--steps", 3, "--json", "--seed", seed).json[
            "final_loss"
        ]
        for seed in (0, 0, 1)
    ]
    assert losses[0] == losses[1] != losses[2]


def test_a_trace_holds_measured_and_predicted_times_of_every_instruction(
    run: Run, tmp_path: Path
) -> None:
    assert run("zoo:lenet5", "--steps", 2, "--trace", "t.json").code == 0
    events = json.loads((tmp_path / "t.json").read_text())["traceEvents"]
    threads = [[e for e in events if e["ph"] == "X" and e["tid"] == tid] for tid in (0, 1)]
    assert len(threads[0]) == len(threads[1]) > 0
    assert {e["cat"] for e in threads[0]} >= {"FWD", "BWD"}
    assert all(e["dur"] >= 0 for e in events if e["ph"] == "X")


def test_the_trace_is_that_of_a_training_step_also_where_an_evaluation_follows(
    run: Run, tmp_path: Path
) -> None:
    said = run("zoo:lenet5", "--data", "digits", "--steps", 2, "--trace", "t.json")
    assert said.code == 0
    events = json.loads((tmp_path / "t.json").read_text())["traceEvents"]
    measured = {e["cat"] for e in events if e["ph"] == "X" and e["tid"] == 0}
    assert measured >= {"FWD", "BWD", "UPDATE"}


@pytest.mark.parametrize("words", [("--steps", 2), ("--infer",)])
def test_a_report_of_a_run_shows_predicted_and_measured_times(
    run: Run, tmp_path: Path, words: tuple[object, ...]
) -> None:
    assert run("zoo:lenet5", *words, "--report", "r.html").code == 0
    page = (tmp_path / "r.html").read_text()
    assert "step, measured" in page
    assert "Prediction and measurement" in page
    assert '"label":"measured"' in page


def test_inference_gives_the_accuracy_of_the_saved_model(run: Run) -> None:
    trained = run("zoo:lenet5", "--data", "digits", "--epochs", 2, "--json").json
    inferred = run("trained.onnx", "--data", "digits", "--infer", "--json").json
    assert inferred["accuracy"] == pytest.approx(trained["accuracy"], abs=1e-9)
    assert inferred["final_loss"] is None


def test_inference_without_data_is_timed(run: Run) -> None:
    said = run("zoo:lenet5", "--infer", "--steps", 2)
    assert said.code == 0
    assert "samples/s" in said.out


def test_a_model_trains_on_an_npz_file(run: Run, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    np.savez(
        tmp_path / "d.npz",
        x=generator.integers(0, 256, (70, 1, 32, 32), dtype=np.uint8),
        y=generator.integers(0, 10, 70),
    )
    said = run("zoo:lenet5", "--data", "npz:d.npz", "--epochs", 1, "--save", "o.onnx")
    assert said.code == 0
    assert (tmp_path / "o.onnx").exists()
    assert "test accuracy" not in said.out


def test_a_dry_run_prints_the_launch_and_does_not_start_it(run: Run) -> None:
    said = run("zoo:lenet5", "-n", 3, "--dry-run")
    assert said.code == 0
    assert "mpiexec -n 3" in said.out
    assert said.out.rstrip().endswith("-m pyhpmp.commands.run zoo:lenet5 -n 3")


def test_the_version_names_hpmp_and_its_mpi(run: Run) -> None:
    said = run("--version")
    assert said.code == 0
    assert said.out.startswith("hpmp-run 0.")
    assert "MPI: " in said.out
