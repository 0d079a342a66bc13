"""hpmp: trains convolutional networks on several ranks; a hypergraph decides what goes where."""

from __future__ import annotations

from pyhpmp.cpu import require_cpu

require_cpu()

# ruff: noqa: E402  (the core must not be loaded before that)
from pyhpmp import local
from pyhpmp.errors import (
    CommError,
    DataError,
    DeviceError,
    DivergenceError,
    HpmpError,
    InfeasiblePlanError,
    InternalError,
    InvalidArgumentError,
    InvalidPlanError,
    ModelError,
    OutOfMemoryError,
    UnsupportedOpError,
)
from pyhpmp.graph import Graph, load
from pyhpmp.optimizers import SGD, AdamW
from pyhpmp.plans import Plan, plan
from pyhpmp.session import Session
from pyhpmp.training import Trainer

__version__ = "0.1.0"

__all__ = [
    "SGD",
    "AdamW",
    "CommError",
    "DataError",
    "DeviceError",
    "DivergenceError",
    "Graph",
    "HpmpError",
    "InfeasiblePlanError",
    "InternalError",
    "InvalidArgumentError",
    "InvalidPlanError",
    "ModelError",
    "OutOfMemoryError",
    "Plan",
    "Session",
    "Trainer",
    "UnsupportedOpError",
    "load",
    "local",
    "plan",
]
