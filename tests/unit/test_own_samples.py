"""A rank reads the samples that its plan reads, no others, and that changes no bit of a step."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from counting_part import CountingPart
from test_segmentation_training import BATCH, CLASSES, SIDE, model, squares

import pyhpmp
from pyhpmp import data, local, world
from pyhpmp.commands.feeding import feed_of
from pyhpmp.graph import Graph
from pyhpmp.records import Reads

STEPS = 3
#: With the ranks that each is tried on.
STRATEGIES = {"auto": 3, "data": 3, "layer": 3, "filter": 2, "owt": 2}


class Run(NamedTuple):
    losses: list[float]
    evaluated: float
    counted: int
    images: int
    labels: int
    reads: Reads | None


def digits() -> tuple[Graph, data.Dataset]:
    graph = pyhpmp.load("zoo:lenet5")
    return graph, data.load("digits", graph.input_shape, graph.classes)


def maps() -> tuple[Graph, data.Dataset]:
    graph = model()
    images, labels = squares(3 * BATCH)
    part = data.Arrays(images, labels, "squares")
    transform = data.Transform(0.0, 1.0, (3, SIDE, SIDE))
    target = data.Target((SIDE, SIDE), classes=CLASSES)
    return graph, data.Dataset("squares", CLASSES, part, None, transform, target)


def trained(task: str, strategy: str, own: bool) -> list[Run]:
    """What every rank found in a few steps, fed with its own samples or with whole batches."""
    graph, found = digits() if task == "digits" else maps()
    batch = 12

    def work(rank: int) -> Run:
        plan = pyhpmp.plan(graph, batch=batch, strategy=strategy, bn_group=2, seconds=1)
        trainer = pyhpmp.Trainer(plan, params=graph.params, threads=1)
        part = CountingPart(found.train)
        feed = feed_of(plan, found, 1) if own else data.Feed(found, batch)
        if own and found.target.shape:
            trainer.take_own_labels()
        choices = [np.arange(batch * i, batch * (i + 1)) % len(part) for i in range(STEPS)]
        with feed:
            losses = [trainer.step(x, y) for x, y in feed.batches(part, choices)]
            images, labels = part.images_read.total(), part.labels_read.total()
            (last,) = feed.batches(part, [np.arange(batch // 2)])
            scores = trainer.evaluate_batch(*last)
        reads = plan.reads(world.current().rank)
        return Run(losses, scores.loss, scores.counted, images, labels, reads)

    return local.run(STRATEGIES[strategy], work)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("task", ["digits", "maps"])
def test_own_samples_make_the_step_of_whole_batches(task: str, strategy: str) -> None:
    own, whole = trained(task, strategy, True), trained(task, strategy, False)
    for mine, theirs in zip(own, whole, strict=True):
        assert mine.losses == theirs.losses
        assert (mine.evaluated, mine.counted) == (theirs.evaluated, theirs.counted)
        assert mine.reads is not None
        assert mine.images == STEPS * mine.reads.images.sum()
        labelled = 12 if task == "digits" else int(mine.reads.labels.sum())
        assert mine.labels == STEPS * labelled
    images = sum(run.reads.images.astype(int) for run in own if run.reads is not None)
    labels = sum(run.reads.labels.astype(int) for run in own if run.reads is not None)
    assert images.min() >= 1
    assert labels.min() >= 1
    if strategy in ("data", "layer"):
        assert images.max() == labels.max() == 1
