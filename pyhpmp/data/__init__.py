"""Data sets: samples that are read as they are needed, and made fit for a model's input."""

from __future__ import annotations

from pyhpmp.data.augment import AUGMENTS, look_of
from pyhpmp.data.dataset import Dataset, Target, Transform, in_order, shuffled
from pyhpmp.data.feed import Feed
from pyhpmp.data.part import Arrays, Part
from pyhpmp.data.sources import IGNORED, SPECS, SYNTHETIC, load

__all__ = [
    "AUGMENTS",
    "IGNORED",
    "SPECS",
    "SYNTHETIC",
    "Arrays",
    "Dataset",
    "Feed",
    "Part",
    "Target",
    "Transform",
    "in_order",
    "load",
    "look_of",
    "shuffled",
]
