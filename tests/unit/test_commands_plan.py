"""hpmp-plan: compares, explains, saves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Said, say

from pyhpmp.commands.plan import main

Plan = Callable[..., Said]


@pytest.fixture
def plan(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Plan:
    monkeypatch.chdir(tmp_path)
    return lambda *words: say(capsys, main, *words)


def test_json_has_every_field_for_the_chosen_strategy_and_every_baseline(plan: Plan) -> None:
    said = plan("zoo:lenet5", "-n", 2, "--json")
    assert (said.code, said.err) == (0, "")
    assert set(said.json) == {
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
    rows = {row["name"]: row for row in said.json["strategies"]}
    assert said.json["strategies"][0]["name"] == said.json["chosen"]
    assert set(rows) >= {"data", "layer", "filter", "owt", said.json["chosen"]}
    for row in rows.values():
        assert set(row) == {
            "name",
            "volume_bytes",
            "imbalance",
            "memory_bytes",
            "step_seconds",
            "bubble_fraction",
            "feasible",
            "compute_seconds",
            "network_seconds",
            "refusal",
        }
        volume = row["volume_bytes"]
        assert volume["total"] == volume["activations"] + volume["parameters"]
        assert len(row["memory_bytes"]) == 2
        assert row["feasible"] is True


def test_data_parallelism_moves_twice_the_weights_per_further_rank(plan: Plan) -> None:
    said = plan("zoo:lenet5", "-n", 4, "--json")
    data = next(row for row in said.json["strategies"] if row["name"] == "data")
    weights = 61_706  # LeNet-5 at 32x32 with 10 classes
    assert data["volume_bytes"] == {
        "activations": 0,
        "parameters": 2 * 3 * weights * 4,
        "total": 2 * 3 * weights * 4,
    }


def test_the_chosen_plan_is_never_predicted_slower_than_a_baseline(plan: Plan) -> None:
    for words in (("-n", 2), ("-n", 4), ("-n", 4, "--network", "1Gbit/50us")):
        rows = plan("zoo:lenet5", *words, "--json").json["strategies"]
        assert rows[0]["step_seconds"] <= min(
            row["step_seconds"] for row in rows if row["feasible"]
        )


def test_the_volume_objective_keeps_the_balance_and_moves_no_more_than_the_baselines_that_do(
    plan: Plan,
) -> None:
    rows = plan("zoo:lenet5", "-n", 2, "--objective", "volume", "--json").json["strategies"]
    balanced = [row for row in rows if row["imbalance"] <= 0.03 + 1e-9]
    assert rows[0] in balanced
    assert rows[0]["volume_bytes"]["total"] == min(row["volume_bytes"]["total"] for row in balanced)


def test_a_named_strategy_is_chosen_and_compared(plan: Plan) -> None:
    said = plan("zoo:lenet5", "-n", 2, "--strategy", "layer", "--json")
    assert said.json["chosen"] == "layer"
    assert len(said.json["strategies"]) == 4


def test_a_baseline_without_a_plan_is_listed_as_infeasible(plan: Plan) -> None:
    said = plan("zoo:lenet5", "-n", 8, "--batch", 256, "--json")
    rows = {row["name"]: row for row in said.json["strategies"]}
    assert rows["layer"]["feasible"] is False
    assert rows["layer"]["step_seconds"] is None
    assert rows["layer"]["volume_bytes"]["total"] is None


def test_a_saved_plan_is_read_back_as_it_was(plan: Plan, tmp_path: Path) -> None:
    made = plan("zoo:lenet5", "-n", 2, "--save", "p.hpmp", "--json").json
    again = plan("zoo:lenet5", "-n", 2, "--strategy", "file:p.hpmp", "--json").json
    assert again["chosen"] == made["chosen"]
    assert again["strategies"][0] == made["strategies"][0]
    assert plan("zoo:lenet5", "-n", 2, "--strategy", "file:p.hpmp", "--save", "q.hpmp").code == 0
    assert (tmp_path / "q.hpmp").read_text() == (tmp_path / "p.hpmp").read_text()


def test_the_hypergraph_is_written_as_hmetis_text(plan: Plan, tmp_path: Path) -> None:
    assert plan("zoo:lenet5", "-n", 2, "--hmetis", "h.hgr").code == 0
    lines = (tmp_path / "h.hgr").read_text().splitlines()
    nets, cells, kind = map(int, lines[0].split())
    assert kind == 11
    assert len(lines) == 1 + nets + cells


def test_the_table_names_ranks_batch_and_element_size_beside_its_percentage(plan: Plan) -> None:
    said = plan("zoo:alexnet", "-n", 4, "--batch", 128, "--objective", "volume")
    assert said.code == 0
    line = next(line for line in said.out.splitlines() if "data parallelism (" in line)
    assert "4 ranks, batch 128, 4 bytes per element" in line
    assert "data parallelism sends less from batch" in said.out


def test_a_slower_network_is_predicted_slower(plan: Plan) -> None:
    seconds = [
        plan("zoo:lenet5", "-n", 2, "--strategy", "data", "--network", link, "--json").json[
            "strategies"
        ][0]["step_seconds"]
        for link in ("100Gbit/1us", "100Mbit/1ms")
    ]
    assert seconds[0] < seconds[1]


def test_ranks_must_be_named(plan: Plan) -> None:
    assert plan("zoo:lenet5").is_one_line_mistake()


def test_synchronised_statistics_let_shards_cut_what_they_else_must_not(plan: Plan) -> None:
    words = ("zoo:resnet20", "-n", 2, "--batch", 32, "--bn-group", 32, "--strategy", "data")
    alone = plan(*words, "--json")
    assert alone.code == 2
    assert "samples allow no more: use --bn-group 16, or --bn sync" in alone.err
    assert plan(*words[:-3], 16, *words[-2:], "--json").json["chosen"] == "data"
    said = plan(*words, "--bn", "sync", "--json")
    assert (said.code, said.err) == (0, "")
    assert (said.json["bn"], said.json["bn_group"], said.json["chosen"]) == ("sync", 32, "data")
    volume = said.json["strategies"][0]["volume_bytes"]
    assert 0 < volume["activations"] < 0.05 * volume["parameters"]
    assert "statistics over 32 samples are shared by 2 shards" in plan(*words, "--bn", "sync").out


def test_a_saved_plan_with_synchronised_statistics_serves_again(plan: Plan, tmp_path: Path) -> None:
    words = ("zoo:resnet20", "-n", 2, "--batch", 32)
    assert plan(*words, "--bn", "sync", "--strategy", "data", "--save", "p.hpmp").code == 0
    said = plan(*words, "--strategy", "file:p.hpmp", "--hmetis", "h.hgr", "--json")
    assert (said.code, said.err) == (0, "")
    assert said.json["bn"] == "sync"
