"""The peers of the comparison run, beside ours and rank beside rank."""

from __future__ import annotations

import compare
import pytest
from peers.driver import Worker
from peers.job import Job


def test_onnxruntime_is_given_the_same_network() -> None:
    job = Job("resnet20", 32, 2, variant="infer")
    with Worker("ours", job) as ours, Worker("onnxruntime_infer", job) as theirs:
        compare.check_same(ours.facts, theirs.facts)
        assert len(theirs.run(3)[0]["seconds"]) == 3


@pytest.mark.parametrize("module", ["ddp", "pipeline"])
def test_the_ranks_of_a_peer_run_together(module: str) -> None:
    job = Job("resnet20", 32, 8, variant="channels_last", ranks=2)
    with Worker(module, job, processes=2) as worker:
        answers = worker.run(2)
    assert [len(answer["seconds"]) for answer in answers] == [2, 2]
    assert worker.facts["parameters"] == 272_474
