"""hpmp-run: trains or runs a network on K ranks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing

import pyhpmp
from pyhpmp import devices, launch, world
from pyhpmp.commands import results
from pyhpmp.commands.arguments import parsed, run_parser
from pyhpmp.commands.checkpoints import checkpoints_of
from pyhpmp.commands.feeding import feed_of
from pyhpmp.commands.inference import infer
from pyhpmp.commands.loop import Loop
from pyhpmp.commands.optimizer import check_optimizer_flags
from pyhpmp.commands.planning import plan_of, print_version
from pyhpmp.commands.recipe import recipe_of
from pyhpmp.commands.scalars import Scalars, check_log
from pyhpmp.commands.terminal import Reporter, reporter
from pyhpmp.data import SYNTHETIC, Dataset, load
from pyhpmp.errors import InvalidArgumentError
from pyhpmp.files import check_writable
from pyhpmp.heads import heads_note

PROGRAM = "hpmp-run"
DEFAULT_SAVE = "trained.onnx"


def main(argv: Sequence[str] | None = None) -> int:
    """Starts the ranks, or is one of them. Returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = parsed(run_parser(), words)
    if arguments.version:
        return print_version(PROGRAM)
    ranks = arguments.ranks or 1
    if arguments.dry_run:
        return launch.guard(lambda _: _dry_run(words, ranks), program=PROGRAM)
    if ranks > 1 and not launch.is_launched():
        return launch.run(words, ranks, debug=arguments.debug, program=PROGRAM)
    return launch.guard(
        lambda context: _as_rank(arguments, context), program=PROGRAM, debug=arguments.debug
    )


def _dry_run(words: list[str], ranks: int) -> int:
    rest = [word for word in words if word != "--dry-run"]
    print(launch.command_line(rest, ranks))
    return 0


def _as_rank(arguments: argparse.Namespace, context: launch.RankContext) -> int:
    with world.using(world.world_of(context)) as ranks:
        if arguments.ranks is not None and arguments.ranks != ranks.size:
            raise InvalidArgumentError(
                f"-n {arguments.ranks}, but the launcher started {ranks.size} ranks; leave -n out"
            )
        arguments.ranks = ranks.size
        say = reporter(root=ranks.is_root, json=arguments.json, quiet=arguments.quiet)
        ranks.on_root(lambda: _check(arguments))
        return _run(arguments, ranks, say)


def _check(arguments: argparse.Namespace) -> None:
    """What can be refused before the model is read."""
    devices.check(arguments.device, arguments.dtype)
    check_optimizer_flags(arguments)
    if arguments.infer and arguments.save:
        raise InvalidArgumentError("--save writes a trained model; it has no use with --infer")
    if arguments.infer and arguments.log:
        raise InvalidArgumentError("--log writes what training does; it has no use with --infer")
    if arguments.log:
        check_log(arguments.log)
    for path in (arguments.save, arguments.trace, arguments.report):
        if path:
            check_writable(path)


def _run(arguments: argparse.Namespace, ranks: world.World, say: Reporter) -> int:
    graph = pyhpmp.load(
        arguments.model, classes=arguments.classes, image=arguments.image, seed=arguments.seed
    )
    for note in graph.notes:
        say.note(f"note: {note}")
    if arguments.data is None:
        say.note("no --data: timing on synthetic images")
    # What is wrong with files is said before anything is planned.
    data = None if _is_synthetic(arguments) else _data(arguments, graph, ranks)
    plan = plan_of(graph, arguments, compare=arguments.report is not None, note=say.note)
    heads = heads_note(graph.core.outputs, plan.request.loss_weights)
    if heads and not arguments.infer:
        say.note(heads)
    say.plan(plan)
    data = data or _data(arguments, graph, ranks, batch=plan.batch)
    if arguments.infer:
        return infer(plan, data, arguments, say)
    return _train(plan, data, arguments, say)


def _train(
    plan: pyhpmp.Plan,
    data: Dataset,
    arguments: argparse.Namespace,
    say: Reporter,
) -> int:
    recipe = recipe_of(arguments, data, plan)
    trainer = pyhpmp.Trainer(
        plan,
        recipe.optimizer,
        keep_weights=False,
        label_smoothing=arguments.label_smoothing,
        seed=arguments.seed,
        threads=arguments.threads,
        trace=results.wants_trace(arguments),
        timeout=arguments.timeout,
        device=arguments.device,
        numerics=arguments.numerics,
    )
    checkpoints = checkpoints_of(arguments, data, plan, recipe)
    if arguments.resume:
        checkpoints.resume(trainer, recipe, say)
    if data.target.shape:
        trainer.take_own_labels()
    scalars = closing(Scalars(arguments.log, trainer.steps))
    with feed_of(plan, data, arguments.threads) as feed, scalars as log:
        outcome = Loop(trainer, feed, recipe, say, checkpoints, log).run()
    results.save_measured(plan, outcome.trace, outcome.step_seconds, arguments)
    saved = arguments.save or (None if _is_synthetic(arguments) else DEFAULT_SAVE)
    if saved:
        trainer.save_onnx(saved)
    results.report(plan, outcome, saved, arguments, say)
    return 0


def _is_synthetic(arguments: argparse.Namespace) -> bool:
    return arguments.data in (None, SYNTHETIC)


def _data(
    arguments: argparse.Namespace, graph: pyhpmp.Graph, ranks: world.World, *, batch: int = 1
) -> Dataset:
    """batch: how many samples synthetic data have."""
    return ranks.on_root(
        lambda: load(
            arguments.data or SYNTHETIC,
            graph.input_shape,
            graph.classes,
            pixels=graph.label_pixels,
            ignore=arguments.ignore_index,
            batch=batch,
            seed=arguments.seed,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
