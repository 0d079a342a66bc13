"""Batches made ahead by threads: the right ones, few at a time, and nothing left behind."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from counting_part import counting

from pyhpmp import data
from pyhpmp.data.feed import AHEAD
from pyhpmp.errors import DataError
from pyhpmp.records import Reads


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("threads", [1, 3])
def test_batches_come_in_order_whole_and_as_the_data_set_makes_them(threads: int) -> None:
    found = data.load("digits", (3, 12, 12), 10)
    order = data.shuffled(len(found.train), 0, 0)
    choices = [order[i : i + 64] for i in range(0, 640, 64)]
    with data.Feed(found, 64, threads=threads) as feed:
        made = [(x.copy(), y.copy()) for x, y in feed.batches(found.train, choices)]
    assert len(made) == 10
    for (images, labels), chosen in zip(made, choices, strict=True):
        expected = found.batch(found.train, chosen)
        np.testing.assert_array_equal(images, expected[0])
        np.testing.assert_array_equal(labels, expected[1])


def test_the_last_batch_is_filled_up_with_zeros_and_ignored_labels() -> None:
    found, part = counting(10)
    with data.Feed(found, 4) as feed:
        batches = [(x.copy(), y.copy()) for x, y in feed.batches(part, data.in_order(10, 4))]
    assert [y.tolist() for _, y in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, -1, -1]]
    assert batches[-1][0][:, 0, 0, 0].tolist() == [8, 9, 0, 0]


def test_no_more_than_the_batches_ahead_are_read() -> None:
    found, part = counting(100)
    with data.Feed(found, 4, threads=2) as feed:
        for step, _ in enumerate(feed.batches(part, data.in_order(100, 4))):
            assert len(part.images_read) <= 4 * (step + 1 + AHEAD)
    assert set(part.images_read.values()) == {1}


def test_rows_that_are_not_read_are_neither_made_nor_written() -> None:
    found, part = counting(12)
    images, labels = np.arange(4) % 2 == 0, np.arange(4) == 3
    with data.Feed(found, 4, Reads(images, labels)) as feed:
        for step, (x, y) in enumerate(feed.batches(part, data.in_order(12, 4))):
            assert x[:, 0, 0, 0].tolist() == [4 * step, 0, 4 * step + 2, 0]
            assert y.tolist() == [0, 0, 0, 4 * step + 3]
    assert sorted(part.images_read) == [0, 2, 4, 6, 8, 10]
    assert sorted(part.labels_read) == [3, 7, 11]


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_rows_that_are_not_read_take_no_memory() -> None:
    """Of 64 images of 12 MB in each of the three batches, one is read."""
    side = 1024
    images = np.zeros((64, 3, 1, 1), np.uint8)
    part = data.Arrays(np.broadcast_to(images, (64, 3, side, side)), np.arange(64), "zeros")
    found = data.Dataset("zeros", 64, part, None, data.Transform(0.0, 1.0, (3, side, side)))
    one = np.arange(64) == 5
    before = resident_bytes()
    with data.Feed(found, 64, Reads(one, one)) as feed:
        for _ in feed.batches(part, [np.arange(64)] * 4):
            assert resident_bytes() - before < 20 * 12 * 2**20


def test_a_sample_that_cannot_be_read_ends_its_batch_and_not_those_before() -> None:
    found, part = counting(100, broken=(10, 9))
    seen = []
    with data.Feed(found, 4, threads=2) as feed:
        batches = feed.batches(part, data.in_order(100, 4))
        seen += [int(next(batches)[1][0]), int(next(batches)[1][0])]
        with pytest.raises(DataError, match="sample 9: broken"):
            next(batches)
    assert seen == [0, 4]
    assert len(part.images_read) <= 4 * (2 + 1 + AHEAD)


def test_who_stops_early_leaves_nothing_and_may_begin_again() -> None:
    found, part = counting(100)
    with data.Feed(found, 4, threads=2) as feed:
        batches = feed.batches(part, data.in_order(100, 4))
        next(batches)
        batches.close()
        read = len(part.images_read)
        assert read <= 4 * (1 + AHEAD)
        again = [int(y[0]) for _, y in feed.batches(part, data.in_order(100, 4))]
    assert again == list(range(0, 100, 4))


def test_an_interrupted_run_ends_its_threads() -> None:
    found, part = counting(100)

    def run() -> None:
        with data.Feed(found, 4, threads=2) as feed:
            for _ in feed.batches(part, data.in_order(100, 4)):
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
