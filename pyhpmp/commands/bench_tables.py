"""What hpmp-bench found, as tables for people."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from pyhpmp.bench.comm import Timing
from pyhpmp.bench.kernels import Measured
from pyhpmp.bench.step import StepTiming
from pyhpmp.bench.summary import median
from pyhpmp.records import Passes
from pyhpmp.report.units import UNKNOWN, duration, percent, size

MICROSECOND = 1e-6


def show(table: Table) -> None:
    """A pipe has no width; the table keeps its columns."""
    console = Console(highlight=False)
    console.width = max(console.width, 120)
    console.print(table)


def _table(*columns: str, left: int = 1) -> Table:
    table = Table(box=None, pad_edge=False)
    for position, title in enumerate(columns):
        table.add_column(title, justify="left" if position < left else "right")
    return table


def kernel_table(results: list[Measured], peak: float) -> Table:
    """peak: multiply-add FLOP/s of the threads that computed."""
    table = _table(
        "op", "window", "channels", "pixels", "samples", "forward", "backward", "weights", "of peak"
    )
    for result in results:
        shape = result.node.shape
        window = f"{shape.kernel}/{shape.stride}" + (f" g{shape.groups}" * (shape.groups > 1))
        table.add_row(
            shape.op,
            window,
            f"{shape.c_in}->{shape.c_out}",
            f"{shape.pixels:,}",
            str(result.samples),
            *_speeds(result),
            _of_peak(result, peak),
        )
    return table


def _speeds(result: Measured) -> list[str]:
    unit = "GFLOP/s" if result.node.is_mixing else "GB/s"
    return [f"{rate / 1e9:.1f} {unit}" if rate else UNKNOWN for rate in result.rates()]


def _of_peak(result: Measured, peak: float) -> str:
    """All passes of a mixing op together."""
    if not result.node.is_mixing:
        return UNKNOWN
    return percent(whole_rate(result.node.work, result.rates()) / peak)


def whole_rate(work: Passes, rates: Passes) -> float:
    """Work of all passes over their time."""
    seconds = sum(amount / rate for amount, rate in zip(work, rates, strict=True) if rate)
    done = sum(amount for amount, rate in zip(work, rates, strict=True) if rate)
    return done / seconds if seconds else 0.0


def comm_table(found: list[Timing]) -> Table:
    table = _table("transfer", "ranks", "size", "median", "bandwidth", left=2)
    for timing in found:
        seconds = median(timing.seconds)
        table.add_row(
            timing.kind.replace("_", "-"),
            "-".join(map(str, (timing.ranks[0], timing.ranks[-1]))),
            size(timing.size),
            f"{seconds / MICROSECOND:,.1f} us",
            f"{timing.size / seconds / 1e9:.2f} GB/s",
        )
    return table


def step_table(timing: StepTiming) -> Table:
    table = _table("instruction", "op", "predicted", "measured", "error", left=2)
    for row in timing.rows:
        table.add_row(
            row.kind,
            row.op or UNKNOWN,
            duration(row.predicted),
            duration(row.measured),
            percent(row.as_dict()["error"]),
        )
    table.add_section()
    measured = median(timing.seconds)
    table.add_row("step", "", duration(timing.predicted), duration(measured), percent(timing.error))
    table.add_row("host", "", UNKNOWN, duration(median(timing.host_seconds)), "")
    return table
