"""hpmp-bench: measures ops, transport and steps; writes the machine profile."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyhpmp
from pyhpmp import _core, devices, launch, world
from pyhpmp.bench import comm, kernels, step
from pyhpmp.bench.summary import machine_facts
from pyhpmp.commands import bench_tables as tables
from pyhpmp.commands.bench_arguments import bench_parser, parsed_bench
from pyhpmp.commands.planning import plan_of, print_version
from pyhpmp.commands.results import print_json
from pyhpmp.errors import InvalidArgumentError
from pyhpmp.files import check_writable
from pyhpmp.profile import Profile, read_profile
from pyhpmp.records import DeviceFigures

PROGRAM = "hpmp-bench"
MODELS = (
    "alexnet",
    "vgg16",
    "vgg16@32",
    "resnet18",
    "resnet50",
    "resnet20",
    "densenet121",
    "googlenet",
    "squeezenet",
)
QUICK_MODELS = ("resnet20", "alexnet")


def main(argv: Sequence[str] | None = None) -> int:
    """Starts the ranks, or is one of them. Returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = parsed_bench(bench_parser(), words)
    if arguments.version:
        return print_version(PROGRAM)
    ranks = getattr(arguments, "ranks", None) or (2 if arguments.kind == "comm" else 1)
    if ranks > 1 and not launch.is_launched():
        return launch.run(
            words,
            ranks,
            debug=arguments.debug,
            program=PROGRAM,
            module="pyhpmp.commands.bench",
        )
    return launch.guard(
        lambda context: _as_rank(arguments, words, context), program=PROGRAM, debug=arguments.debug
    )


def _as_rank(arguments: argparse.Namespace, words: list[str], context: launch.RankContext) -> int:
    with world.using(world.world_of(context)) as ranks:
        saved = getattr(arguments, "save_profile", None)
        older = ranks.on_root(lambda: _older_profile(saved))
        profile = {"kernels": _kernels, "comm": _comm, "step": _step}[arguments.kind](
            arguments, [PROGRAM, *words]
        )
        if saved and profile:
            ranks.on_root(lambda: older.merged(profile).save(saved))
        return 0


def _older_profile(path: str | None) -> Profile:
    """What is merged into: known to be good before anything is measured."""
    if not path:
        return Profile()
    check_writable(path)
    return read_profile(path) if Path(path).exists() else Profile()


def _header(
    kind: str, words: list[str], threads: int, device: str, /, **facts: Any
) -> dict[str, Any]:
    return {"bench": kind, "command": words, "machine": machine_facts(threads, device), **facts}


def _kernels(arguments: argparse.Namespace, words: list[str]) -> Profile:
    quick = arguments.quick
    ranks = world.current()
    device = _device(arguments)
    # A GPU is nobody else's for a while: what disturbs is not waited for.
    rounds = 1 if quick or device.kind == "cuda" else 4
    effort = kernels.Effort(
        -(-(arguments.repeats or (5 if quick else 20)) // rounds),
        (arguments.seconds or (0.1 if quick else 1.0)) / rounds,
        arguments.threads,
        rounds,
        arguments.dtype,
        device,
        arguments.numerics,
    )
    figures = device.figures(effort.repeats, effort.threads)
    weights = kernels.weight_times(effort)
    if ranks.is_root and arguments.json:
        kind = "host" if device.kind == "cpu" else "device"
        print_json(_header(kind, words, arguments.threads, device.kind, **figures._asdict()))
    graphs = _graphs(arguments.models or (QUICK_MODELS if quick else MODELS))
    results = kernels.measured(graphs, effort)
    for result in results:
        if ranks.is_root and arguments.json:
            facts = {"dtype": arguments.dtype, **result.as_dict()}
            print_json(_header("kernel", words, arguments.threads, device.kind, **facts))
    if ranks.is_root and not arguments.json:
        _show_kernels(results, figures, arguments.threads)
    facts = machine_facts(arguments.threads, device.kind) | {"ranks": ranks.size}
    return kernels.profile_of(results, weights, figures, facts, arguments.dtype)


def _device(arguments: argparse.Namespace) -> devices.Device:
    ranks = world.current()
    dtype = getattr(arguments, "dtype", "fp32")
    ranks.on_root(lambda: devices.check(arguments.device, dtype))
    return devices.choose(arguments.device, ranks)


def _show_kernels(results: list[kernels.Measured], figures: DeviceFigures, threads: int) -> None:
    """A CPU's peak is measured; what a GPU does is held against the best that it did here."""
    peak = figures.fma_flops_per_second * threads
    if peak > 0:
        print(f"multiply-add peak of one core: {peak / threads / 1e9:.0f} GFLOP/s")
    else:
        peak = max((max(r.rates()) for r in results if r.node.is_mixing), default=0.0)
        _show_copies(figures)
        print(f"fastest pass, taken as the peak: {peak / 1e9:.0f} GFLOP/s")
    tables.show(tables.kernel_table(results, peak))


def _show_copies(figures: DeviceFigures) -> None:
    print(
        f"pinned copies: {figures.to_host_bytes_per_second / 1e9:.1f} GB/s to the host, "
        f"{figures.to_device_bytes_per_second / 1e9:.1f} GB/s from it; messages packed at "
        f"{figures.pack_bytes_per_second / 1e9:.0f} GB/s"
    )


def _graphs(models: Sequence[str]) -> list[_core.Graph]:
    return [_graph(model) for model in models]


def _graph(model: str) -> _core.Graph:
    """`resnet50`, `zoo:resnet50` and `zoo:vgg16@32` (image side) are zoo networks."""
    name, _, side = model.removeprefix("zoo:").partition("@")
    is_zoo = model.startswith("zoo:") or model in (*MODELS, *QUICK_MODELS)
    if not is_zoo:
        return pyhpmp.load(model).core.prepare(training=True)
    if side and not side.isdecimal():
        raise InvalidArgumentError(f"{model}: '{side}' is no image side; write zoo:{name}@32")
    image = int(side) if side else None
    return pyhpmp.load(f"zoo:{name}", image=image).core.prepare(training=True)


def _comm(arguments: argparse.Namespace, words: list[str]) -> Profile:
    ranks = world.current()
    if ranks.size < 2:
        raise InvalidArgumentError("a transport needs two ranks or more; use -n 2")
    device = _device(arguments)
    sizes = comm.QUICK_SIZES if arguments.quick else comm.SIZES
    repeats = arguments.repeats or (5 if arguments.quick else 20)
    figures = device.figures(repeats, 1)
    found = []
    if ranks.is_root and arguments.json and device.kind == "cuda":
        print_json(_header("device", words, 1, device.kind, **figures._asdict()))
    for timing in comm.timings(sizes, repeats, device):
        found.append(timing)
        if ranks.is_root and arguments.json:
            print_json(_header("comm", words, 1, device.kind, **timing.as_dict()))
    if ranks.is_root and not arguments.json:
        if device.kind == "cuda":
            _show_copies(figures)
        tables.show(tables.comm_table(found))
    one_host = len(set(ranks.hosts())) == 1
    return comm.profile_of(found, machine_facts(1, device.kind), one_host=one_host)


def _step(arguments: argparse.Namespace, words: list[str]) -> None:
    ranks = world.current()
    arguments.ranks, arguments.infer = ranks.size, False
    device = _device(arguments)
    graph = pyhpmp.load(
        arguments.model, classes=arguments.classes, image=arguments.image, seed=arguments.seed
    )
    plan = plan_of(graph, arguments)
    timing = step.timed_steps(
        plan,
        steps=arguments.repeats or (5 if arguments.quick else 20),
        seconds=5.0 if arguments.quick else arguments.seconds,
        threads=arguments.threads,
        seed=arguments.seed,
        device=arguments.device,
        numerics=arguments.numerics,
    )
    if not ranks.is_root:
        return
    if arguments.json:
        facts = {"seed": arguments.seed, **plan.as_dict(), **timing.as_dict()}
        print_json(_header("step", words, arguments.threads, device.kind, **facts))
    else:
        print(
            f"{graph.name}: {plan.comparison.chosen}, {ranks.size} ranks, batch {plan.batch}, "
            f"{plan.core.shards} shards"
        )
        tables.show(tables.step_table(timing))


if __name__ == "__main__":
    sys.exit(main())
