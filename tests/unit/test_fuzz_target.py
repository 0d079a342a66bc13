"""The fuzzer's target: what it must let through, and what it must not."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import onnx_import

sys.path.insert(0, str(Path(__file__).parents[1] / "fuzz"))

import fuzz_import
from corpus import corpus
from fuzz_import import Target, TooSlow


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    """One that gives an input a fifth of a second of the processor."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGALRM, signal.SIGPROF)}
    made = Target(tmp_path, input_seconds=0.2)
    yield made
    shutil.rmtree(made.folder, ignore_errors=True)
    for number, handler in kept.items():
        signal.signal(number, handler)


def test_an_input_whose_import_takes_too_long_is_no_users_mistake(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless(source: object) -> None:
        while True:
            pass

    monkeypatch.setattr(onnx_import, "load", endless)
    with pytest.raises(TooSlow, match="too much work"):
        target(corpus()[0])


def test_an_input_that_is_no_model_is_let_through(target: Target) -> None:
    target(b"no model")
    assert (target.count, target.imported) == (1, 0)


def _raising(target: Target, *rest: object) -> None:
    target(b"raised")
    raise ValueError


def _killed(target: Target, *rest: object) -> None:
    target(b"killed")
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(("guided", "data"), [(_raising, b"raised"), (_killed, b"killed")])
def test_what_ends_a_guided_run_is_kept(
    target: Target, monkeypatch: pytest.MonkeyPatch, guided: object, data: bytes
) -> None:
    monkeypatch.setattr(fuzz_import, "run_guided", guided)
    assert fuzz_import.in_a_child(target, seconds=1, seed=0) == 1
    (kept,) = target.crashes.glob("*.onnx")
    assert kept.read_bytes() == data
