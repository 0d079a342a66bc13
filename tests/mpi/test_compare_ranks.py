"""Our ranks serve a comparison as a peer's do."""

from __future__ import annotations

from peers.driver import Worker
from peers.job import Job


def test_ranks_under_mpi_answer_one_by_one() -> None:
    with Worker("ours", Job("lenet5", 32, 8, variant="train", ranks=2)) as worker:
        answers = worker.run(3)
    assert [len(answer["seconds"]) for answer in answers] == [3, 3]
    assert worker.facts["parameters"] == 61_706
