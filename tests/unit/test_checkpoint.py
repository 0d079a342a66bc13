"""Checkpoints: a run that goes on from one ends where an uninterrupted one ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import tiny_network as tiny
from command_line import Said, say

import pyhpmp
from pyhpmp import checkpoint, local
from pyhpmp.checkpoint import Checkpoint
from pyhpmp.commands.run import main
from pyhpmp.errors import DataError, InvalidArgumentError, ModelError

SGD = pyhpmp.SGD(lr=0.1, momentum=0.9)
ADAMW = pyhpmp.AdamW(lr=5e-3, weight_decay=0.05)


def trained(
    ranks: int,
    strategy: str,
    steps: range,
    start: Checkpoint | None = None,
    optimizer: pyhpmp.SGD | pyhpmp.AdamW = SGD,
) -> tuple[list[float], Checkpoint]:
    """Losses of the steps, and the checkpoint after them."""

    def work(rank: int) -> tuple[list[float], Checkpoint]:
        plan = pyhpmp.plan(tiny.graph(rank), batch=16, strategy=strategy, bn_group=4)
        trainer = pyhpmp.Trainer(plan, optimizer)
        if start is not None:
            trainer.restore(start if rank == 0 else Checkpoint(start.step))
        losses = [trainer.step(*tiny.batch(seed=step)) for step in steps]
        return losses, trainer.checkpoint()

    return local.run(ranks, work)[0]


@pytest.mark.parametrize("optimizer", [SGD, ADAMW])
@pytest.mark.parametrize(("ranks", "strategy"), [(1, "auto"), (2, "filter"), (4, "data")])
def test_training_goes_on_with_any_ranks_and_strategy(
    ranks: int, strategy: str, optimizer: pyhpmp.SGD | pyhpmp.AdamW, tmp_path: Path
) -> None:
    whole, end = trained(2, "layer", range(6), optimizer=optimizer)
    before, state = trained(2, "layer", range(3), optimizer=optimizer)
    found = checkpoint.load(checkpoint.save(tmp_path, state))
    after, other_end = trained(ranks, strategy, range(3, 6), found, optimizer)
    assert before + after == pytest.approx(whole, rel=1e-5)
    assert (end.step, other_end.step) == (6, 6)
    assert end.optimizer == other_end.optimizer == optimizer.kind
    for kept, arrays in end.state.items():
        for name, array in arrays.items():
            np.testing.assert_allclose(other_end.state[kept][name], array, rtol=1e-3, atol=1e-5)
    for name, weight in end.weights.items():
        np.testing.assert_allclose(other_end.weights[name], weight, rtol=1e-3, atol=1e-5)


def test_the_two_newest_are_kept(tmp_path: Path) -> None:
    for step in (5, 10, 100):
        checkpoint.save(tmp_path, Checkpoint(step, {"w": np.ones(3, np.float32)}))
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        "step-000000010.safetensors",
        "step-000000100.safetensors",
    ]
    newest = checkpoint.newest(tmp_path)
    assert newest is not None
    assert checkpoint.load(newest).step == 100


def test_a_damaged_or_foreign_file_is_refused(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, Checkpoint(1, {"w": np.ones(3, np.float32)}))
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(DataError, match="cannot read the checkpoint"):
        checkpoint.load(path)
    from safetensors.numpy import save_file

    save_file({"w": np.ones(3, np.float32)}, path)
    with pytest.raises(DataError, match="is no checkpoint of hpmp"):
        checkpoint.load(path)


def test_another_networks_checkpoint_is_refused() -> None:
    with pytest.raises(ModelError, match=r"'stem\.w' has no value"):
        trained(1, "auto", range(1), Checkpoint(1, {"w": np.ones(3, np.float32)}))


def test_a_checkpoint_of_another_optimizer_is_refused(tmp_path: Path) -> None:
    _, state = trained(1, "auto", range(1))
    assert checkpoint.load(checkpoint.save(tmp_path, state)).optimizer == "sgd"
    with pytest.raises(
        InvalidArgumentError, match=r"optimizer sgd.* none of adamw; go on with sgd"
    ):
        trained(2, "data", range(1, 2), state, ADAMW)


def test_a_file_of_the_first_format_is_of_sgd(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    path = tmp_path / "step-000000003.safetensors"
    about = {"format": "hpmp-checkpoint 1", "step": "3", "facts": "{}"}
    one = np.ones(2, np.float32)
    save_file({"w": one, "momentum:w": 2 * one}, path, about)
    found = checkpoint.load(path)
    assert (found.step, found.optimizer, list(found.weights)) == (3, "sgd", ["w"])
    np.testing.assert_array_equal(found.state["momentum"]["w"], 2 * one)


WORDS = ("zoo:lenet5", "--data", "digits", "--batch", 128, "--threads", 1, "--quiet")
STEADY = ("--schedule", "constant", "--warmup", 0)
Run = Callable[..., Said]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    return lambda *words: say(capsys, main, *WORDS, *STEADY, *words)


def weights_of(path: str) -> dict[str, np.ndarray]:
    return {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}


@pytest.mark.parametrize(("optimizer", "augment"), [("sgd", "none"), ("adamw", "crop")])
def test_a_resumed_run_saves_the_model_of_an_uninterrupted_one(
    run: Run, tmp_path: Path, optimizer: str, augment: str
) -> None:
    folder = tmp_path / "checkpoints"
    words = ("--optimizer", optimizer, "--augment", augment)
    assert run("--steps", 16, "--save", "whole.onnx", *words).code == 0
    assert run("--steps", 9, "--checkpoint", folder, "--every", 4, *words).code == 0
    assert [path.name[:14] for path in sorted(folder.iterdir())] == [
        "step-000000008",
        "step-000000009",
    ]
    resumed = run("--steps", 16, "--checkpoint", folder, "--resume", "--save", "end.onnx", *words)
    assert resumed.code == 0
    assert "trained 16 steps" in resumed.out
    for name, weight in weights_of("whole.onnx").items():
        np.testing.assert_array_equal(weights_of("end.onnx")[name], weight)


def test_mistakes_with_checkpoints_are_one_line(run: Run, tmp_path: Path) -> None:
    said = [run("--resume")]
    words = ("--steps", 2, "--checkpoint", tmp_path)
    assert run(*words).code == 0
    said.append(run(*words, "--resume"))
    said.append(run(*words, "--seed", 1, "--resume"))
    said.append(run(*words, "--augment", "flip", "--resume"))
    said.append(run(*words, "--optimizer", "adamw", "--resume"))
    assert all(one.code == 2 and one.err.count("\n") == 1 for one in said)
    assert "--checkpoint DIR" in said[0].err
    assert "has all of the 2 steps" in said[1].err
    assert "was made with --seed 0" in said[2].err
    assert "was made with --augment none" in said[3].err
    assert "was made with --optimizer sgd, this run has adamw" in said[4].err
