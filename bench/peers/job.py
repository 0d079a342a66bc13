"""What a worker process is asked to build; the driver hands it over as JSON."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass


class Unavailable(Exception):
    """This variant cannot run here; the message says why, in one line."""


@dataclass(frozen=True)
class Job:
    """One network to run in one way.

    batch: samples of a step, of all ranks together. threads: of each rank. variant: of the peer,
    for instance `compile`. network: ours only, the link that is planned for. socket: where the
    driver listens; empty for stdin and stdout. device: cpu or cuda. numerics: of fp32 products
    there, fp32 or tf32.
    """

    model: str
    image: int
    batch: int
    variant: str = ""
    dtype: str = "fp32"
    threads: int = 1
    ranks: int = 1
    socket: str = ""
    profile: str | None = None
    network: str | None = None
    device: str = "cpu"
    numerics: str = "fp32"

    def text(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @staticmethod
    def parse(text: str) -> Job:
        return Job(**json.loads(text))
