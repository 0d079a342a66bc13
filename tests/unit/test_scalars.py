"""--log: what TensorBoard finds of a run, and what is said where nothing can be written."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Said, say

from pyhpmp.commands.run import main

Run = Callable[..., Said]
WORDS = ("zoo:lenet5", "--data", "digits", "--batch", 256, "--threads", 1, "--json")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    return lambda *words: say(capsys, main, *WORDS, *words)


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    """By tag and step, from the files' records: a length, its checksum, the event, its checksum."""
    from tensorboardX.proto.event_pb2 import Event

    found: dict[str, dict[int, float]] = defaultdict(dict)
    for path in sorted(folder.iterdir()):
        data, at = path.read_bytes(), 0
        while at < len(data):
            size = int.from_bytes(data[at : at + 8], "little")
            event = Event.FromString(data[at + 12 : at + 12 + size])
            for value in event.summary.value:
                found[value.tag][event.step] = value.simple_value
            at += 16 + size
    return dict(found)


def test_every_step_and_every_epochs_test_are_written(run: Run) -> None:
    pytest.importorskip("tensorboardX")
    said = run("--epochs", 2, "--log", "runs/first", "--lr", 0.02, "--warmup", 0)
    assert (said.code, said.err) == (0, "")
    found = scalars(Path("runs/first"))
    names = ("loss", "accuracy", "learning_rate", "samples_per_second")
    assert set(found) == {*(f"train/{n}" for n in names), "test/loss", "test/accuracy"}
    steps = max(found["train/loss"])
    assert list(found["train/loss"]) == list(range(1, steps + 1))
    assert found["train/loss"][steps] == pytest.approx(said.json["final_loss"])
    assert found["train/learning_rate"][1] == pytest.approx(0.02)
    assert list(found["test/accuracy"]) == [steps // 2, steps]
    assert found["test/accuracy"][steps] == pytest.approx(said.json["accuracy"])


def test_what_a_resumed_run_makes_again_stands_in_the_later_file_alone(run: Run) -> None:
    writer = pytest.importorskip("tensorboardX").SummaryWriter
    asked: list[int] = []

    class Spy(writer):  # type: ignore[misc, valid-type]
        def __init__(self, folder: str, purge_step: int, **form: str) -> None:
            asked.append(purge_step)
            super().__init__(folder, purge_step=purge_step, **form)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tensorboardX.SummaryWriter", Spy)
        words = ("--checkpoint", "kept", "--log", "runs", "--schedule", "constant")
        assert run(*words, "--steps", 3).code == 0
        assert run(*words, "--steps", 5, "--resume").code == 0
    assert asked == [1, 4]
    assert list(scalars(Path("runs"))["train/loss"]) == [1, 2, 3, 4, 5]


def test_mistakes_are_one_line_before_anything_is_planned(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorboardX")
    Path("taken").write_text("")
    said = run("--log", "taken")
    assert said.is_one_line_mistake()
    assert "cannot make taken" in said.err
    said = run("--infer", "--log", "runs")
    assert said.is_one_line_mistake()
    assert "no use with --infer" in said.err
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    said = run("--log", "runs")
    assert said.is_one_line_mistake()
    assert "pip install tensorboardX" in said.err
    assert not Path("runs").exists()
