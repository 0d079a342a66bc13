"""Which shard counts the planner tries."""

from __future__ import annotations

from dataclasses import replace

import pytest

import pyhpmp
from pyhpmp.errors import InvalidArgumentError
from pyhpmp.grids import shard_counts
from pyhpmp.request import Request


def test_shards_cut_batch_norm_groups_only_where_statistics_are_synchronised() -> None:
    graph = pyhpmp.load("zoo:resnet20").core.prepare(training=True)
    request = Request(ranks=4, batch=64, bn_group=16)
    assert shard_counts(graph, request) == [4]
    assert shard_counts(graph, replace(request, bn_sync=True)) == [4, 8, 16, 32, 64]
    assert shard_counts(graph, replace(request, bn_group=32)) == [2]
    assert shard_counts(graph, replace(request, bn_group=32, bn_sync=True)) == [4, 8, 16, 32, 64]


def test_without_batch_norm_any_divisor_of_the_batch_may_serve() -> None:
    graph = pyhpmp.load("zoo:lenet5").core.prepare(training=True)
    assert shard_counts(graph, Request(ranks=4, batch=64, bn_group=32)) == [4, 8, 16, 32, 64]


def test_an_unknown_way_to_keep_statistics_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="unknown bn 'all'; use one of group, sync"):
        pyhpmp.plan(pyhpmp.load("zoo:lenet5"), bn="all")
