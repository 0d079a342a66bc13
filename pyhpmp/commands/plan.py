"""hpmp-plan: plans without running: compares strategies, explains, saves."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import pyhpmp
from pyhpmp import launch, world
from pyhpmp.commands.arguments import parsed, plan_parser
from pyhpmp.commands.inspect import inspect
from pyhpmp.commands.planning import plan_of, print_version
from pyhpmp.commands.results import print_json
from pyhpmp.commands.terminal import Reporter, reporter
from pyhpmp.files import check_writable, write_text

PROGRAM = "hpmp-plan"


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    parser = plan_parser()
    arguments = parsed(parser, words)
    if arguments.version:
        return print_version(PROGRAM)
    if arguments.inspect:
        return launch.guard(
            lambda context: inspect(arguments, context), program=PROGRAM, debug=arguments.debug
        )
    if arguments.ranks is None:
        parser.error("say for how many ranks: -n K")
    return launch.guard(
        lambda context: _main(arguments, context), program=PROGRAM, debug=arguments.debug
    )


def _main(arguments: argparse.Namespace, context: launch.RankContext) -> int:
    with world.using(world.world_of(context)) as ranks:
        say = reporter(root=ranks.is_root, json=arguments.json, quiet=arguments.quiet)
        for path in _outputs(arguments):
            if path:
                check_writable(path)
        graph = pyhpmp.load(
            arguments.model, classes=arguments.classes, image=arguments.image, seed=arguments.seed
        )
        for note in graph.notes:
            say.note(f"note: {note}")
        plan = plan_of(graph, arguments, compare=True, note=say.note)
        _save(arguments, plan)
        if not ranks.is_root:
            return 0
        if arguments.json:
            print_json(plan.as_dict())
        else:
            _say(arguments, plan, say)
        return 0


def _save(arguments: argparse.Namespace, plan: pyhpmp.Plan) -> None:
    if arguments.save:
        plan.save(arguments.save)
    if arguments.hmetis and world.current().is_root:
        write_text(arguments.hmetis, plan.hypergraph().hmetis())
    if arguments.report:
        plan.report(arguments.report)


def _outputs(arguments: argparse.Namespace) -> list[str]:
    return [path for path in (arguments.save, arguments.hmetis, arguments.report) if path]


def _say(arguments: argparse.Namespace, plan: pyhpmp.Plan, say: Reporter) -> None:
    say.plan(plan)
    row = plan.comparison.row(plan.comparison.chosen)
    if arguments.quiet and row is not None:
        say.result([f"{row.name}: {row.total_bytes:,} bytes per step, {row.step_seconds:.6f} s"])
    say.result([f"saved {path}" for path in _outputs(arguments)])


if __name__ == "__main__":
    sys.exit(main())
