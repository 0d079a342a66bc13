"""What the planner knows of the machine: a profile, and a link such as `1Gbit/50us`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pyhpmp.errors import InvalidArgumentError
from pyhpmp.profile import Profile, read_profile

_LINK = re.compile(
    r"(?P<rate>\d+(\.\d+)?)(?P<unit>[KMGT]?)bit(/s)?(/(?P<delay>\d+(\.\d+)?)(?P<scale>ns|us|ms|s))?"
)
_FACTOR = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}


def machine_of(network: str | None, profile: str | Profile | None) -> dict[str, Any]:
    """What `_core.Plan.build` takes; the link of `network` comes before that of the profile.

    Raises:
        InvalidArgumentError: naming the file, the field and the rule, or the link.
    """
    read = read_profile(profile) if isinstance(profile, str) else profile
    machine = read.machine() if read is not None else {}
    return machine | parse_network(network) if network else machine


def parse_network(text: str) -> dict[str, Any]:
    """A link, or the whole of a profile. Raises InvalidArgumentError."""
    link = _LINK.fullmatch(text)
    if not link:
        if not Path(text).is_file():
            raise InvalidArgumentError(
                f"network '{text}' is neither a link such as 1Gbit/50us nor a profile (JSON file)"
            )
        return read_profile(text).machine()
    machine = {"link_bytes_per_second": float(link["rate"]) * _FACTOR[link["unit"]] / 8}
    if link["delay"]:
        machine["link_latency_seconds"] = float(link["delay"]) * _SECONDS[link["scale"]]
    for value in machine.values():
        if not value > 0:
            raise InvalidArgumentError(f"network '{text}': rate and delay must be above 0")
    return machine
