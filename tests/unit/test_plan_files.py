"""Saved plans: round trip, hand edits, and plans that do not fit what is asked."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Said, say

from pyhpmp.commands.plan import main as plan_main
from pyhpmp.commands.run import main as run_main

Command = Callable[..., Said]
MODEL = ("zoo:lenet5", "-n", 2)
REPLAY = (*MODEL, "--strategy", "file:p.hpmp")


@pytest.fixture
def plan(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Command:
    monkeypatch.chdir(tmp_path)
    return lambda *words: say(capsys, plan_main, *words)


@pytest.fixture
def saved(plan: Command) -> str:
    """The text of the plan in p.hpmp."""
    words = ("--strategy", "filter", "--shards", 2, "--plan-seconds", 0.2, "--save", "p.hpmp")
    assert plan(*MODEL, *words).code == 0
    return Path("p.hpmp").read_text()


def edited(text: str) -> None:
    Path("p.hpmp").write_text(text)


def without(text: str, pattern: str) -> str:
    changed = re.sub(pattern, "", text, count=1, flags=re.MULTILINE)
    assert changed != text
    return changed


def swapped(text: str, kind: str) -> str:
    """The first two instructions of a kind change places."""
    first, second = re.findall(rf"^{kind} .*\n", text, re.MULTILINE)[:2]
    return text.replace(first, "#\n").replace(second, first).replace("#\n", second)


BREAKS: dict[str, Callable[[str], str]] = {
    "a missing send": lambda text: without(text, r"^SEND .*\n"),
    "a missing receive": lambda text: without(text, r"^RECV .*\n"),
    "a missing message": lambda text: without(text, r"^message .*\n"),
    "a missing tensor": lambda text: without(text, r"^tensor image_grad .*\n"),
    "a missing update": lambda text: without(text, r"^UPDATE .*\n"),
    "a missing rank": lambda text: text[: text.index("rank 1 ")] + "end\n",
    "an unknown rank": lambda text: re.sub(r"(message 0 \w+) 0 1", r"\1 0 7", text),
    "a swapped receive": lambda text: swapped(text, "RECV"),
    "overlapping buffers": lambda text: re.sub(
        r"(?m)^(tensor \S+ \S+ \S+ \S+ \S+ \S+) \d+ ", r"\1 0 ", text
    ),
    "a word that is no number": lambda text: text.replace("FWD 1 ", "FWD one ", 1),
    "an unknown statement": lambda text: text.replace("FWD", "JUMP", 1),
    "half a file": lambda text: text[: len(text) // 2],
    "an empty file": lambda _: "",
    "another file": lambda _: "# a note\n",
    "a newer version": lambda text: text.replace("hpmp-plan 1", "hpmp-plan 2"),
    "a grid that does not divide": lambda text: text.replace("grid 64 2 ", "grid 64 3 "),
    "a name that is none": lambda text: text.replace("strategy filter", "strategy \x1b[2J"),
    "a hash that is none": lambda text: re.sub(r"(?m)^graph .*", "graph " + "f" * 99_999, text),
    "numbers beyond all bounds": lambda text: re.sub(r"(?m)^(rank 0) \d+", r"\1 99e99", text),
}


@pytest.mark.parametrize("broken", BREAKS)
def test_a_broken_plan_is_one_clear_line(plan: Command, saved: str, broken: str) -> None:
    edited(BREAKS[broken](saved))
    said = plan(*REPLAY)
    assert said.is_one_line_mistake()
    assert "p.hpmp" in said.err


def test_a_binary_file_is_no_plan(plan: Command, saved: str) -> None:
    Path("p.hpmp").write_bytes(bytes(range(256)) * 40)
    said = plan(*REPLAY)
    assert said.is_one_line_mistake()
    assert "p.hpmp is no plan" in said.err


def test_what_is_quoted_from_a_plan_stays_short_and_printable(plan: Command, saved: str) -> None:
    edited(saved.replace("FWD 1 ", "FWD \x1b[2J" + "9" * 100_000 + " ", 1))
    said = plan(*REPLAY)
    assert said.is_one_line_mistake()
    assert len(said.err) < 300
    assert said.err.rstrip("\n").isprintable()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("zoo:lenet5", "-n", 4), "for ranks 2, not 4; use -n 2"),
        ((*MODEL, "--batch", 128), "for batch 64, not 128; use --batch 64"),
        ((*MODEL, "--shards", 4), "for shards 2, not 4; use --shards 2"),
        ((*MODEL, "--infer"), "for training, not for inference; use it without --infer"),
        (("zoo:lenet5", "-n", 2, "--classes", 5), "made for graph"),
        ((*MODEL, "--memory", 0.0001), "p.hpmp needs"),
        ((*MODEL, "--epsilon", "nan"), "--epsilon"),
    ],
)
def test_a_plan_for_something_else_says_what_it_is_for(
    plan: Command, saved: str, words: tuple[object, ...], message: str
) -> None:
    said = plan(*words, "--strategy", "file:p.hpmp")
    assert said.is_one_line_mistake()
    assert message in said.err


def test_a_plan_for_inference_trains_nothing(
    plan: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("zoo:lenet5", "-n", 1, "--infer", "--save", "p.hpmp")
    assert plan(*words).code == 0
    said = say(capsys, run_main, "zoo:lenet5", "--strategy", "file:p.hpmp", "--json")
    assert said.is_one_line_mistake()
    assert "with --infer" in said.err
    again = say(capsys, run_main, "zoo:lenet5", "--infer", "--strategy", "file:p.hpmp", "-q")
    assert again.code == 0


def test_a_replayed_plan_is_compared_with_the_classical_strategies(
    plan: Command, saved: str
) -> None:
    said = plan(*REPLAY, "--plan-seconds", 0.2, "--json").json
    assert said["chosen"] == "filter"
    rows = {row["name"]: row for row in said["strategies"]}
    assert set(rows) == {"filter", "data", "layer", "owt"}
    assert all(row["step_seconds"] for row in rows.values())
    assert said["data_parallel_crossover_batch"] is not None


def test_the_batch_of_a_saved_plan_needs_no_flag(plan: Command) -> None:
    words = ("--strategy", "data", "--batch", 96, "--plan-seconds", 0.2)
    assert plan(*MODEL, *words, "--save", "p.hpmp").code == 0
    assert plan(*REPLAY, "--plan-seconds", 0.2, "--json").json["batch"] == 96


def test_comments_and_blank_lines_may_be_added_and_a_replay_saves_the_same_text(
    plan: Command, saved: str
) -> None:
    lines = saved.splitlines()
    edited("\n".join([lines[0], "# by hand", "", *lines[1:]]) + "\n")
    assert plan(*REPLAY, "--plan-seconds", 0.2, "--save", "q.hpmp").code == 0
    assert Path("q.hpmp").read_text() == saved
