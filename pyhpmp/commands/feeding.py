"""Which samples a rank of a run reads, and with how many threads."""

from __future__ import annotations

import numpy as np

from pyhpmp import Plan, world
from pyhpmp.data import Dataset, Feed
from pyhpmp.engine import share_of_cores


def feed_of(plan: Plan, data: Dataset, threads: int) -> Feed:
    """The images that the plan loads on this rank, and the labels that it has a use for.

    Those are all classes of images, which cost nothing; masks where their loss is computed; and in
    inference those of rank 0, which says how good the answers are. Collective.

    Args:
        threads: that the rank computes with; as many read, 0 for its share of the cores.
    """
    ranks = world.current()
    reads = plan.reads(ranks.rank)
    if not plan.core.training:
        reads = reads._replace(labels=np.full(plan.batch, ranks.is_root))
    elif not data.target.shape:
        reads = reads._replace(labels=np.ones(plan.batch, bool))
    return Feed(data, plan.batch, reads, threads=threads or share_of_cores(ranks))
