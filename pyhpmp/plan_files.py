"""Saved plans: read back, checked against what is asked, compared with the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pyhpmp import _core, planning
from pyhpmp.errors import HpmpError, InfeasiblePlanError, InvalidArgumentError, InvalidPlanError
from pyhpmp.figures import figures
from pyhpmp.records import Prediction
from pyhpmp.request import Request
from pyhpmp.strategies import BASELINES, Comparison

PREFIX = "file:"


def is_file(strategy: str) -> bool:
    return strategy.startswith(PREFIX)


def read(strategy: str) -> _core.Plan:
    """The plan that `file:PATH` names. Raises InvalidArgumentError or InvalidPlanError."""
    path = strategy.removeprefix(PREFIX)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        reason = error.strerror or error
        raise InvalidArgumentError(f"cannot read plan {path}: {reason}") from error
    except UnicodeDecodeError as error:
        raise InvalidPlanError(
            f"{path} is no plan: byte {error.start} is not text; make one with hpmp-plan --save"
        ) from error
    try:
        return _core.Plan.parse(text)
    except InvalidPlanError as error:
        raise InvalidPlanError(f"{path}: {error}") from error


def replayed(
    graph: _core.Graph, core: _core.Plan, request: Request
) -> tuple[_core.Plan, Comparison]:
    """The plan that was read, with the figures it carries and memory for the optimizer that is
    asked for, beside baselines if they are wanted.

    Raises:
        InvalidPlanError: it is broken, or for another model, run or batch.
        InfeasiblePlanError: it needs more memory than it may use.
    """
    path = request.strategy.removeprefix(PREFIX)
    planning.check(replace(request, strategy="auto"))
    _check_fits(path, core, request)
    try:
        core.verify(graph)
    except InvalidPlanError as error:
        raise InvalidPlanError(f"{path}: {error}") from error
    if core.optimizer != request.optimizer:
        core = core.for_optimizer(graph, request.optimizer)
    own = figures(core, request.machine)
    _check_memory(path, own, request)
    best, refused = _classical(graph, request) if request.compare else ({}, {})
    return core, planning.comparison(core.strategy, best | {core.strategy: own}, refused, request)


def _classical(
    graph: _core.Graph, request: Request
) -> tuple[dict[str, Prediction], dict[str, HpmpError]]:
    found, refused = planning.tried(graph, replace(request, strategy=BASELINES[0]))
    best = planning.leaders(found, request)
    return {name: candidate.figures for name, candidate in best.items()}, refused


def _check_fits(path: str, core: _core.Plan, request: Request) -> None:
    """What was asked, and what the plan was made for, must be the same."""
    if core.training and not request.training:
        raise InvalidPlanError(
            f"{path} is a plan for training, not for inference; use it without --infer"
        )
    if request.training and not core.training:
        raise InvalidPlanError(
            f"{path} is a plan for inference, not for training; use it with --infer"
        )
    for what, flag, got, want in (
        ("dtype", "--dtype", core.dtype, request.dtype),
        ("ranks", "-n", core.ranks, request.ranks),
        ("batch", "--batch", core.batch, request.batch),
        ("shards", "--shards", core.shards, request.shards or core.shards),
        ("bn_group", "--bn-group", core.bn_group, request.bn_group or core.bn_group),
    ):
        if got != want:
            raise InvalidPlanError(
                f"{path} is a plan for {what} {got}, not {want}; use {flag} {got}, or plan again"
            )


def _check_memory(path: str, own: Prediction, request: Request) -> None:
    needs = own.memory_bytes
    if request.memory_bytes and max(needs) > request.memory_bytes:
        raise InfeasiblePlanError(
            f"{path} needs {planning.gib(max(needs))} on rank {needs.index(max(needs))}; the limit "
            f"is {planning.gib(request.memory_bytes)}: plan again with it"
        )
