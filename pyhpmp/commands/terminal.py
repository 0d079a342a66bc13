"""What people see: the plan, a live bar on a terminal or plain lines in a pipe, the result."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pyhpmp.report import percent, plan_view

if TYPE_CHECKING:
    from pyhpmp import Plan

PIPE_LINE_SECONDS = 10.0  # between plain lines within an epoch


class Reporter:
    """Says nothing: what every rank but 0 has, and rank 0 with --json."""

    def note(self, text: str) -> None:
        pass

    def plan(self, plan: Plan) -> None:
        pass

    @contextlib.contextmanager
    def progress(self, steps: int) -> Iterator[None]:
        yield

    def step(self, step: int, loss: float, accuracy: float, rate: float) -> None:
        pass

    def epoch(
        self, epoch: int, epochs: int, accuracy: float | None, mean_iou: float | None = None
    ) -> None:
        pass

    def result(self, lines: list[str]) -> None:
        pass


class QuietReporter(Reporter):
    """Only the result."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(soft_wrap=True, highlight=False)

    def result(self, lines: list[str]) -> None:
        for line in lines:
            self.console.print(line)


class PlainReporter(QuietReporter):
    """Lines for a pipe or a log file."""

    def __init__(self, console: Console | None = None) -> None:
        super().__init__(console)
        self.loss, self.rate, self.steps = 0.0, 0.0, 0
        self._spoke = time.monotonic()

    def note(self, text: str) -> None:
        self.console.print(text)

    def plan(self, plan: Plan) -> None:
        width = self.console.width
        self.console.width = max(width, 110)  # a pipe has no width; the table keeps its columns
        self.console.print(plan_view(plan))
        self.console.width = width

    @contextlib.contextmanager
    def progress(self, steps: int) -> Iterator[None]:
        self.steps, self._spoke = steps, time.monotonic()
        yield

    def step(self, step: int, loss: float, accuracy: float, rate: float) -> None:
        self.loss, self.rate = loss, rate
        if time.monotonic() - self._spoke >= PIPE_LINE_SECONDS:
            self._say(f"step {step}/{self.steps}", accuracy)

    def epoch(
        self, epoch: int, epochs: int, accuracy: float | None, mean_iou: float | None = None
    ) -> None:
        self._say(f"epoch {epoch}/{epochs}", accuracy, "test ", mean_iou)

    def _say(
        self,
        where: str,
        accuracy: float | None,
        part: str = "batch ",
        mean_iou: float | None = None,
    ) -> None:
        shown = "" if accuracy is None else f"  {part}accuracy {percent(accuracy)}"
        shown += "" if mean_iou is None else f"  mean IoU {percent(mean_iou)}"
        self.console.print(f"{where}  loss {self.loss:.4f}{shown}  {self.rate:,.0f} samples/s")
        self._spoke = time.monotonic()


class LiveReporter(PlainReporter):
    """A progress bar for a terminal."""

    def __init__(self, console: Console | None = None) -> None:
        super().__init__(console)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.4f}"),
            TextColumn("accuracy {task.fields[accuracy]}"),
            TextColumn("{task.fields[rate]:,.0f} samples/s"),
            TimeRemainingColumn(),
            console=self.console,
        )
        self._test: float | None = None

    def plan(self, plan: Plan) -> None:
        self.console.print(plan_view(plan))

    @contextlib.contextmanager
    def progress(self, steps: int) -> Iterator[None]:
        self._task = self._bar.add_task(
            "training", total=steps, loss=0.0, accuracy=percent(None), rate=0.0
        )
        with self._bar:
            yield

    def step(self, step: int, loss: float, accuracy: float, rate: float) -> None:
        self.loss, self.rate = loss, rate
        shown = percent(accuracy if self._test is None else self._test)
        self._bar.update(self._task, completed=step, loss=loss, accuracy=shown, rate=rate)

    def epoch(
        self, epoch: int, epochs: int, accuracy: float | None, mean_iou: float | None = None
    ) -> None:
        self._test = accuracy
        if accuracy is not None:
            self._bar.update(self._task, accuracy=percent(accuracy))
        super().epoch(epoch, epochs, accuracy, mean_iou)


def reporter(*, root: bool, json: bool, quiet: bool) -> Reporter:
    """The one that fits the flags and where stdout goes."""
    if not root or json:
        return Reporter()
    if quiet:
        return QuietReporter()
    console = Console(soft_wrap=True, highlight=False)
    return LiveReporter(console) if console.is_terminal else PlainReporter(console)
