"""AdamW: PyTorch's steps on one rank, the same on several, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tiny_network as tiny
import torch
from command_line import Said, say
from oracle_graph import OracleGraph

import pyhpmp
from pyhpmp import _core, local
from pyhpmp.commands.plan import main as plan_main
from pyhpmp.commands.run import main
from pyhpmp.errors import InfeasiblePlanError, InvalidArgumentError
from pyhpmp.figures import memory_bytes
from pyhpmp.graph import Graph, Params

STEPS = 20
FROZEN = "param branch.w weight 32 32 1 1"
#: By claim: of the weight after 20 steps, how far rounding may have grown.
SETTINGS = {
    "as usual": pyhpmp.AdamW(),
    "no decay": pyhpmp.AdamW(lr=3e-3, weight_decay=0.0),
    "much decay": pyhpmp.AdamW(lr=3e-3, weight_decay=1.0),
    "other means": pyhpmp.AdamW(lr=2e-3, betas=(0.5, 0.95), eps=1e-5, weight_decay=0.1),
}


def graph(rank: int = 0, text: str = tiny.TEXT) -> Graph:
    return Graph("tiny", _core.Graph.parse(text), tiny.params() if rank == 0 else {})


def trained(
    ranks: int,
    strategy: str = "auto",
    optimizer: pyhpmp.AdamW = SETTINGS["as usual"],
    text: str = tiny.TEXT,
    **asked: object,
) -> tuple[list[float], Params]:
    def work(rank: int) -> tuple[list[float], Params]:
        plan = pyhpmp.plan(graph(rank, text), batch=16, strategy=strategy, bn_group=4, **asked)
        trainer = pyhpmp.Trainer(plan, optimizer, threads=1)
        losses = [trainer.step(*tiny.batch(seed=step)) for step in range(STEPS)]
        return losses, trainer.params()

    return local.run(ranks, work)[0]


def by_torch(settings: pyhpmp.AdamW, text: str = tiny.TEXT) -> tuple[list[float], Params]:
    oracle = OracleGraph(text, tiny.params())
    learned = [p for p in oracle.params.values() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        learned, settings.lr, settings.betas, settings.eps, settings.weight_decay
    )
    losses = []
    for step in range(STEPS):
        images, labels = tiny.batch(seed=step)
        logits = oracle.run(images, training=True, bn_group=4)[oracle.outputs[0]].flatten(1)
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, {name: p.detach().numpy() for name, p in oracle.params.items()}


@pytest.mark.parametrize("claim", SETTINGS)
def test_twenty_steps_are_those_of_torchs_adamw(claim: str) -> None:
    losses, params = trained(1, optimizer=SETTINGS[claim])
    expected, weights = by_torch(SETTINGS[claim])
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    for name, weight in weights.items():
        if not name.startswith(("bn.mean", "bn.var")):
            np.testing.assert_allclose(params[name], weight, rtol=1e-3, atol=2e-4, err_msg=name)


@pytest.mark.parametrize(
    ("ranks", "strategy"),
    [(2, "data"), (2, "filter"), (2, "hypergraph"), (4, "data"), (4, "layer"), (4, "owt")],
)
def test_several_ranks_do_what_one_does(ranks: int, strategy: str) -> None:
    losses, params = trained(ranks, strategy)
    expected, weights = trained(1)
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    for name, weight in weights.items():
        np.testing.assert_allclose(params[name], weight, rtol=1e-3, atol=1e-3, err_msg=name)


def test_the_same_seed_gives_the_same_bits() -> None:
    first, again = (trained(2, "filter")[1] for _ in range(2))
    for name, weight in first.items():
        np.testing.assert_array_equal(weight, again[name])


def test_frozen_parameters_stay_though_decay_is_asked_for() -> None:
    text = tiny.TEXT.replace(FROZEN, FROZEN + " frozen")
    settings = SETTINGS["much decay"]
    for ranks in (1, 2):
        losses, params = trained(ranks, "auto" if ranks == 1 else "filter", settings, text)
        np.testing.assert_array_equal(params["branch.w"], tiny.params()["branch.w"])
        np.testing.assert_allclose(losses, by_torch(settings, text)[0], rtol=1e-4)


def test_weights_that_two_layers_share_are_updated_once() -> None:
    again = "node Conv again : branch : branch.w : again kernel=1,1\n"
    text = tiny.TEXT.replace("node Add add : relu branch", again + "node Add add : relu again")
    expected, weights = by_torch(SETTINGS["as usual"], text)
    for ranks, strategy in ((1, "auto"), (2, "layer"), (2, "filter")):
        losses, params = trained(ranks, strategy, text=text)
        np.testing.assert_allclose(losses, expected, rtol=1e-4)
        shared = params["branch.w"]
        np.testing.assert_allclose(shared, weights["branch.w"], rtol=1e-3, atol=1e-3)


def test_activations_in_bf16_leave_the_optimizer_in_fp32() -> None:
    if not _core.runs_dtype("bf16"):
        pytest.skip("bf16 takes AVX-512")
    losses, _ = trained(2, "data", dtype="bf16")
    np.testing.assert_allclose(losses, trained(1)[0], rtol=2e-2)


def test_memory_counts_two_arrays_beside_every_weight() -> None:
    plans = [pyhpmp.plan(graph(), batch=16, bn_group=4, optimizer=k) for k in _core.OPTIMIZERS]
    learned = [p for p in plans[0].prepared.params if p.trainable]
    more = 4 * sum(param.elems for param in learned)
    needs = [memory_bytes(plan.core)[0] for plan in plans]
    assert needs[1] == needs[0] + more
    assert memory_bytes(plans[0].for_optimizer("adamw").core) == [needs[1]]
    engines = [pyhpmp.Trainer(plan, threads=1).engine.core for plan in plans]
    assert engines[1].memory_bytes == engines[0].memory_bytes + more


def test_a_trainer_takes_another_optimizer_than_the_plans_within_its_memory() -> None:
    plan = pyhpmp.plan(graph(), batch=16, bn_group=4)
    assert pyhpmp.Trainer(plan, pyhpmp.AdamW()).plan.core.optimizer == "adamw"
    assert pyhpmp.plan(graph(), batch=16, optimizer="adamw").as_dict()["optimizer"] == "adamw"
    limit = (memory_bytes(plan.core)[0] + 1000) / 2**30
    tight = pyhpmp.plan(graph(), batch=16, bn_group=4, shards=1, memory=limit)
    pyhpmp.Trainer(tight, pyhpmp.SGD())
    with pytest.raises(InfeasiblePlanError, match="plan with optimizer='adamw'"):
        pyhpmp.Trainer(tight, pyhpmp.AdamW())


def test_a_trainer_keeps_its_kind_of_optimizer() -> None:
    trainer = pyhpmp.Trainer(pyhpmp.plan(graph(), batch=16, bn_group=4))
    assert isinstance(trainer.optimizer, pyhpmp.SGD)
    trainer.optimizer = pyhpmp.AdamW()
    with pytest.raises(InvalidArgumentError, match="state of sgd, not of adamw"):
        trainer.step(*tiny.batch())
    trainer = pyhpmp.Trainer(trainer.plan, pyhpmp.AdamW(betas=(0.9, 1.0)))
    with pytest.raises(InvalidArgumentError, match="beta2 is 1, not from 0 to below 1"):
        trainer.step(*tiny.batch())


Command = Callable[..., Said]


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Command:
    monkeypatch.chdir(tmp_path)
    return lambda *words: say(capsys, main, "zoo:lenet5", "--data", "digits", *words)


def test_adamw_learns_the_digits_with_the_settings_that_no_flag_names(run: Command) -> None:
    said = run("--optimizer", "adamw", "--epochs", 4, "--json")
    assert (said.code, said.err) == (0, "")
    assert said.json["optimizer"] == "adamw"
    assert said.json["accuracy"] > 0.9


def test_flags_of_the_other_optimizer_are_one_line(run: Command) -> None:
    said = [
        run("--optimizer", "adamw", "--momentum", 0.9),
        run("--betas", "0.9,0.99"),
        run("--optimizer", "adamw", "--betas", "0.9"),
        run("--optimizer", "adamw", "--betas", "0.9,1"),
        run("--optimizer", "rmsprop"),
    ]
    assert all(one.is_one_line_mistake() for one in said)
    assert "--momentum is of --optimizer sgd" in said[0].err
    assert "--betas is of --optimizer adamw" in said[1].err
    assert "two numbers from 0 to below 1" in said[2].err


def test_a_saved_plan_is_replayed_with_either_optimizer_and_counts_its_memory(
    run: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("zoo:lenet5", "-n", 1, "--batch", 64, "--plan-seconds", 0.2)
    assert say(capsys, plan_main, *words, "--save", "p.hpmp").code == 0
    asked = ("--strategy", "file:p.hpmp", "--steps", 2, "--threads", 1, "--json")
    sgd, adamw = (run(*asked, "--optimizer", kind) for kind in _core.OPTIMIZERS)
    assert (sgd.code, adamw.code) == (0, 0)
    needs = [said.json["strategies"][0]["memory_bytes"] for said in (sgd, adamw)]
    assert max(needs[0]) < max(needs[1])
    limit = (max(needs[0]) + max(needs[1])) / 2 / 2**30
    refused = run(*asked, "--optimizer", "adamw", "--memory", limit)
    assert refused.is_one_line_mistake()
    edited = Path("p.hpmp").read_text().replace("\npredicted", " adamw\npredicted", 1)
    Path("p.hpmp").write_text(edited)
    broken = run(*asked)
    assert broken.is_one_line_mistake()
    assert "its parameters take" in broken.err
