"""What `--network` means: a link as `1Gbit/50us`, or a machine profile in a JSON file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pyhpmp.errors import InvalidArgumentError

_LINK = re.compile(
    r"(?P<rate>\d+(\.\d+)?)(?P<unit>[KMGT]?)bit(/s)?(/(?P<delay>\d+(\.\d+)?)(?P<scale>ns|us|ms|s))?"
)
_FACTOR = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
PROFILE_FIELDS = (
    "flops_per_second",
    "memory_bytes_per_second",
    "link_bytes_per_second",
    "link_latency_seconds",
    "task_overhead_seconds",
)


def parse_network(text: str) -> dict[str, Any]:
    """Fields of hpmp_machine. Raises InvalidArgumentError."""
    link = _LINK.fullmatch(text)
    if not link:
        return _profile(Path(text))
    machine = {"link_bytes_per_second": float(link["rate"]) * _FACTOR[link["unit"]] / 8}
    if link["delay"]:
        machine["link_latency_seconds"] = float(link["delay"]) * _SECONDS[link["scale"]]
    if machine["link_bytes_per_second"] <= 0:
        raise InvalidArgumentError(f"network '{text}': the rate must be above 0")
    return machine


def _profile(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InvalidArgumentError(
            f"network '{path}' is neither a link such as 1Gbit/50us nor a profile (JSON file)"
        )
    try:
        profile = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidArgumentError(f"network profile {path}: {error}") from error
    if not isinstance(profile, dict):
        raise InvalidArgumentError(f"network profile {path}: not a JSON object")
    machine: dict[str, Any] = {}
    for name in PROFILE_FIELDS:
        if name in profile:
            machine[name] = _positive(path, name, profile[name])
    if "rank_speed" in profile:
        speeds = profile["rank_speed"]
        if not isinstance(speeds, list):
            raise InvalidArgumentError(f"network profile {path}: rank_speed is not a list")
        machine["rank_speed"] = [_positive(path, "rank_speed", speed) for speed in speeds]
    return machine


def _positive(path: Path, name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise InvalidArgumentError(f"network profile {path}: {name} is {value!r}, not a number > 0")
    return float(value)
