"""Data sets: images and labels as arrays, made fit for a model's input batch by batch."""

from __future__ import annotations

from pyhpmp.data.dataset import Dataset, Split, Transform, shuffled
from pyhpmp.data.sources import SPECS, load

__all__ = ["SPECS", "Dataset", "Split", "Transform", "load", "shuffled"]
