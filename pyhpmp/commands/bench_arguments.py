"""The flags of hpmp-bench."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from pyhpmp._core import DTYPES
from pyhpmp.commands.arguments import (
    Parser,
    add_device,
    add_planning,
    count,
    natural,
    positive,
)

KINDS = {
    "kernels": "speed of every op and shape, one line each",
    "comm": "latency and bandwidth between ranks",
    "step": "predicted and measured step time",
}
RANKS = {
    "kernels": "ranks that measure at once, as many as will compute [1]",
    "comm": "ranks [2]",
    "step": "ranks [1]",
}


def bench_parser() -> Parser:
    """hpmp-bench."""
    parser = Parser(
        prog="hpmp-bench",
        description="Measures this machine; writes the profile that the planner reads.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="versions of hpmp and its MPI")
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", parser_class=Parser)
    made = {
        name: kinds.add_parser(name, help=purpose, description=purpose, allow_abbrev=False)
        for name, purpose in KINDS.items()
    }
    for each in made.values():
        _add_common(each)
    for name in ("kernels", "comm"):
        made[name].add_argument(
            "--save-profile", metavar="FILE", help="write, or merge into, a machine profile"
        )
    _add_kernels(made["kernels"])
    _add_step(made["step"])
    add_device(made["comm"], numerics=False)
    for name, purpose in RANKS.items():
        made[name].add_argument("-n", dest="ranks", type=count, metavar="K", help=purpose)
    return parser


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quick", action="store_true", help="fewer shapes, sizes and repeats")
    parser.add_argument("--repeats", type=count, help="samples of each figure [20; quick: 5]")
    parser.add_argument("--json", action="store_true", help="JSON lines on stdout")
    parser.add_argument("--debug", action="store_true", help="show where an error comes from")


def _add_kernels(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "models", metavar="MODEL", nargs="*", help="whose shapes to take [a dozen zoo networks]"
    )
    parser.add_argument("--threads", type=count, default=1, help="that compute [1]")
    parser.add_argument("--seconds", type=positive, help="for each shape [1; quick: 0.1]")
    parser.add_argument("--dtype", choices=DTYPES, default="fp32", help="of activations")
    add_device(parser)


def _add_step(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="an ONNX file, or zoo:NAME")
    parser.add_argument("--batch", type=count, help="samples of a step, over all ranks")
    parser.add_argument("--classes", type=count, help="outputs of a zoo model")
    parser.add_argument("--image", type=count, metavar="SIDE", help="image side of a zoo model")
    parser.add_argument("--threads", type=natural, default=1, help="compute threads per rank [1]")
    parser.add_argument("--seconds", type=positive, default=60.0, help="of steps at most [60]")
    add_device(parser)
    add_planning(parser.add_argument_group("planning"))


def parsed_bench(parser: Parser, argv: Sequence[str]) -> argparse.Namespace:
    """Raises SystemExit with code 2 for a mistake."""
    arguments = parser.parse_args(argv)
    if arguments.kind is None and not arguments.version:
        parser.error(f"say what to measure: {', '.join(KINDS)}")
    return arguments
