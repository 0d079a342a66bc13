"""Data sets: images and labels as arrays, made fit for a model's input batch by batch."""

from __future__ import annotations

from pyhpmp.data.dataset import Dataset, Split, Target, Transform, shuffled
from pyhpmp.data.sources import IGNORED, SPECS, load

__all__ = ["IGNORED", "SPECS", "Dataset", "Split", "Target", "Transform", "load", "shuffled"]
