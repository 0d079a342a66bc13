"""The flags of hpmp-run and hpmp-plan; a mistake is one line and exit code 2."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from pyhpmp._core import DTYPES, OPTIMIZERS, RECOMPUTE
from pyhpmp.data import AUGMENTS, IGNORED, SPECS
from pyhpmp.devices import DEVICES, NUMERICS
from pyhpmp.engine import DEFAULT_TIMEOUT
from pyhpmp.errors import USER_MISTAKE
from pyhpmp.partitioners import PARTITIONERS
from pyhpmp.planning import OBJECTIVES, STRATEGIES
from pyhpmp.plans import BN_MODES
from pyhpmp.request import DEFAULT_SECONDS

SCHEDULES = ("constant", "cosine", "step")


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage text."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message} (see {self.prog} --help)", file=sys.stderr)
        raise SystemExit(USER_MISTAKE)


def _number(kind: type, low: float, rule: str, *, open_low: bool = False) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"'{text}' is not {rule}") from None
        if not (value > low if open_low else value >= low) or value == float("inf"):
            raise argparse.ArgumentTypeError(f"{text} is not {rule}")
        return value

    return convert


count = _number(int, 1, "a whole number from 1")
natural = _number(int, 0, "a whole number from 0")
positive = _number(float, 0, "a number above 0", open_low=True)
nonnegative = _number(float, 0, "a number from 0")


def _share(text: str) -> float:
    value: float = positive(text.removesuffix("%"))
    value = value / 100 if text.endswith("%") or value > 1 else value
    if value > 1:
        raise argparse.ArgumentTypeError(f"{text} is no accuracy; write 0.97 or 97%")
    return value


def _weights(text: str) -> float | list[float]:
    weights = [nonnegative(part) for part in text.split(",")]
    return weights if len(weights) > 1 else weights[0]


def _part(text: str) -> float:
    value: float = nonnegative(text)
    if value > 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0 to 1")
    return value


def _betas(text: str) -> tuple[float, float]:
    betas = [nonnegative(part) for part in text.split(",")]
    if len(betas) != 2 or max(betas) >= 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not two numbers from 0 to below 1")
    return betas[0], betas[1]


def _strategy(text: str) -> str:
    if text in STRATEGIES or (text.startswith("file:") and len(text) > len("file:")):
        return text
    raise argparse.ArgumentTypeError(f"'{text}' is none of {', '.join(STRATEGIES)}, file:PLAN")


def _parser(program: str, purpose: str) -> Parser:
    parser = Parser(prog=program, description=purpose, allow_abbrev=False)
    parser.add_argument("model", metavar="MODEL", nargs="?", help="an ONNX file, or zoo:NAME")
    parser.add_argument("-n", dest="ranks", type=count, metavar="K", help="ranks")
    parser.add_argument("--batch", type=count, help="samples of a step, over all ranks")
    parser.add_argument("--classes", type=count, help="outputs of a zoo model")
    parser.add_argument("--image", type=count, metavar="SIDE", help="image side of a zoo model")
    parser.add_argument("--infer", action="store_true", help="the forward part only")
    parser.add_argument("--report", metavar="OUT.html", help="write a page that explains the plan")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("-q", "--quiet", action="store_true", help="print the result only")
    parser.add_argument("--debug", action="store_true", help="show where an error comes from")
    parser.add_argument("--version", action="store_true", help="versions of hpmp and its MPI")
    add_planning(parser.add_argument_group("planning"))
    return parser


def add_planning(group: Any) -> None:
    """The flags that `plan_of` reads."""
    group.add_argument(
        "--strategy", type=_strategy, default="auto", help=f"{', '.join(STRATEGIES)} or file:PLAN"
    )
    group.add_argument("--objective", choices=OBJECTIVES, default="time", help="what is least")
    group.add_argument("--epsilon", type=nonnegative, default=0.03, help="imbalance allowed")
    group.add_argument("--shards", type=count, help="sample shards of the batch")
    group.add_argument("--memory", type=positive, default=0.0, metavar="GIB", help="limit per rank")
    group.add_argument(
        "--recompute",
        choices=RECOMPUTE,
        default="auto",
        help="activations twice instead of keeping them; auto: where --memory asks for it",
    )
    group.add_argument("--network", metavar="LINK", help="1Gbit/50us: before the profile's")
    group.add_argument(
        "--profile",
        metavar="FILE",
        default="none",
        help="of the machine, from hpmp-bench; auto: measure this one; none: guess",
    )
    group.add_argument("--seed", type=natural, default=0, help="of all random choices")
    group.add_argument("--partitioner", choices=PARTITIONERS, default="native")
    group.add_argument(
        "--plan-seconds",
        type=nonnegative,
        default=DEFAULT_SECONDS,
        help="for the search [10]; every further 10 add a seed, and what all found is crossed",
    )
    group.add_argument(
        "--dtype", choices=DTYPES, default="fp32", help="of activations and their gradients"
    )
    group.add_argument(
        "--optimizer",
        choices=OPTIMIZERS,
        default="sgd",
        help="sgd with momentum, or adamw, which keeps twice as much beside the weights",
    )
    group.add_argument(
        "--aux-weight",
        type=_weights,
        metavar="W[,W...]",
        help="of the losses of further outputs than the first [0.3; of maps 0.4]",
    )
    group.add_argument(
        "--bn-group", type=count, default=0, help="samples that share batch statistics [32]"
    )
    group.add_argument(
        "--bn",
        choices=BN_MODES,
        default="group",
        help="sync: shards may cut such a group, and exchange its sums",
    )


def add_device(parser: Any, *, numerics: bool = True) -> None:
    """The flags that say what computes, and how."""
    parser.add_argument(
        "--device", choices=DEVICES, default="auto", help="auto: GPUs where every rank has one"
    )
    if not numerics:
        return
    parser.add_argument(
        "--numerics",
        choices=NUMERICS,
        default="fp32",
        help="of fp32 products on a GPU; tf32 rounds them, for speed",
    )


def plan_parser() -> Parser:
    """hpmp-plan."""
    parser = _parser("hpmp-plan", "Compares ways to spread a network over ranks, and saves one.")
    parser.add_argument(
        "--inspect", action="store_true", help="only show what is in the model; needs no -n"
    )
    parser.add_argument("--save", metavar="OUT.hpmp", help="write the chosen plan")
    parser.add_argument("--hmetis", metavar="OUT.hgr", help="write its hypergraph as hMETIS text")
    return parser


def run_parser() -> Parser:
    """hpmp-run."""
    parser = _parser("hpmp-run", "Trains or runs a network on several ranks.")
    parser.set_defaults(profile=os.environ.get("HPMP_PROFILE", "auto"))
    parser.add_argument("--data", help=SPECS)
    parser.add_argument(
        "--ignore-index",
        type=int,
        default=IGNORED,
        metavar="LABEL",
        help="of pixels that do not count [255]",
    )
    parser.add_argument("--save", metavar="OUT.onnx", help="the trained model [trained.onnx]")
    parser.add_argument("--trace", metavar="OUT.json", help="last step's times, for Perfetto")
    parser.add_argument(
        "--log", metavar="DIR", default="", help="scalars for TensorBoard; needs tensorboardX"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the launch command and end")
    parser.add_argument("--threads", type=natural, default=0, help="compute threads per rank")
    add_device(parser)
    parser.add_argument(
        "--timeout",
        type=positive,
        default=DEFAULT_TIMEOUT,
        metavar="SECONDS",
        help="that a rank waits for another in a step, before the run fails [60]",
    )
    group = parser.add_argument_group("checkpoints")
    group.add_argument("--checkpoint", metavar="DIR", help="write what --resume goes on from")
    group.add_argument("--every", type=count, metavar="STEPS", help="between two [an epoch's]")
    group.add_argument(
        "--resume",
        action="store_true",
        help="from the newest in --checkpoint; ranks and strategy may be others",
    )
    group = parser.add_argument_group("training")
    group.add_argument("--epochs", type=count, help="passes over the data [10]")
    group.add_argument("--steps", type=count, help="steps in all, instead of epochs")
    group.add_argument(
        "--augment",
        choices=AUGMENTS,
        default="none",
        help="of training images: flip half of them; crop: shift them by up to an eighth, too; "
        "resized-crop: enlarge a part of each, of 8%% of its area or more, and flip half",
    )
    group.add_argument(
        "--lr",
        type=positive,
        help="highest learning rate [sgd: 0.1, 0.02 without batch-norm; adamw: 0.001]",
    )
    group.add_argument("--schedule", choices=SCHEDULES, default="cosine")
    group.add_argument("--warmup", type=nonnegative, default=1.0, metavar="EPOCHS", help="[1]")
    group.add_argument("--momentum", type=nonnegative, help="of sgd [0.9]")
    group.add_argument(
        "--betas", type=_betas, metavar="B1,B2", help="of adamw's running means [0.9,0.999]"
    )
    group.add_argument("--eps", type=positive, help="of adamw, beside its root [1e-8]")
    group.add_argument(
        "--weight-decay", type=nonnegative, help="[sgd: 0.0005; adamw, apart from gradients: 0.01]"
    )
    group.add_argument(
        "--label-smoothing",
        type=_part,
        default=0.0,
        metavar="EPS",
        help="share of a label that the loss of training spreads over all classes [0]",
    )
    group.add_argument("--target-accuracy", type=_share, help="end when the test set reaches it")
    return parser


def parsed(parser: Parser, argv: Sequence[str]) -> argparse.Namespace:
    """Raises SystemExit with code 2 for a mistake."""
    arguments = parser.parse_args(argv)
    if arguments.model is None and not arguments.version:
        parser.error("name a model: an ONNX file, or zoo:NAME")
    return arguments
