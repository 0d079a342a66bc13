"""The machine profile: what `hpmp-bench` measured, as a small JSON file that the planner reads.

One object: `format`, any of the fields of hpmp_speeds, `rates` (one object per op and shape),
`rank_speed` (relative), `dtype` of the activations that ops were measured on, `measured` (where and
how; for people only).
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyhpmp import _core
from pyhpmp.errors import InvalidArgumentError
from pyhpmp.files import write_text
from pyhpmp.records import OpShape, Passes, Rate

FORMAT = "hpmp-machine 1"
LARGEST = sys.float_info.max
SIZES = ("kernel", "stride", "groups", "c_in", "c_out", "pixels")
PASSES = ("forward", "backward", "weights")


@dataclass(frozen=True)
class Profile:
    """speeds: fields of hpmp_speeds that were measured. rates: by op and shape.

    rank_speed: relative, empty where all ranks are alike. measured: facts for people.
    dtype: of the activations with which ops were measured.
    """

    speeds: dict[str, float] = field(default_factory=dict)
    rates: tuple[Rate, ...] = ()
    rank_speed: tuple[float, ...] = ()
    measured: dict[str, Any] = field(default_factory=dict)
    dtype: str = "fp32"

    def machine(self) -> dict[str, Any]:
        """What `_core.Plan.build` takes."""
        whole: dict[str, Any] = dict(self.speeds)
        if self.rates:
            whole["rates"] = list(self.rates)
        if self.rank_speed:
            whole["rank_speed"] = list(self.rank_speed)
        if self.dtype != "fp32":
            whole["dtype"] = self.dtype
        return whole

    def merged(self, newer: Profile) -> Profile:
        """With what `newer` measured in the place of the same here."""
        same = self.dtype == newer.dtype or not newer.rates
        kept = self.rates if same else ()
        rates = {rate.shape: rate for rate in (*kept, *newer.rates)}
        return Profile(
            self.speeds | newer.speeds,
            tuple(rates.values()),
            newer.rank_speed or self.rank_speed,
            self.measured | newer.measured,
            newer.dtype if newer.rates else self.dtype,
        )

    def text(self) -> str:
        """JSON that people can read: one line per field and per rate."""
        fields = {"format": FORMAT, "measured": self.measured, **self.speeds}
        if self.dtype != "fp32":
            fields["dtype"] = self.dtype
        if self.rank_speed:
            fields["rank_speed"] = list(self.rank_speed)
        lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in fields.items()]
        rows = ",\n".join(f"    {json.dumps(_row(rate))}" for rate in self.rates)
        lines.append('"rates": [' + (f"\n{rows}\n  ]" if rows else "]"))
        return "{\n" + ",\n".join(f"  {line}" for line in lines) + "\n}\n"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the file, whole or not at all."""
        write_text(path, self.text())


def _row(rate: Rate) -> dict[str, Any]:
    speeds = {name: float(f"{value:.4g}") for name, value in rate.per_second._asdict().items()}
    return rate.shape._asdict() | {name: value for name, value in speeds.items() if value}


def read_profile(path: str | os.PathLike[str]) -> Profile:
    """Reads a profile.

    Raises:
        InvalidArgumentError: naming the file, the field, its value and the rule.
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidArgumentError(f"machine profile {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise InvalidArgumentError(f"machine profile {path}: not JSON: {error}") from error
    return _Reader(str(path)).profile(found)


class _Reader:
    """Checks every field of a profile."""

    def __init__(self, path: str) -> None:
        self._path = path

    def profile(self, found: Any) -> Profile:
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            got = found.get("format") if isinstance(found, dict) else type(found).__name__
            raise self._error("format", got, f'"{FORMAT}", as hpmp-bench --save-profile writes it')
        known = {"format", "measured", "rates", "rank_speed", "dtype", *_core.default_speeds()}
        for name in found:
            if name not in known:
                raise self._error(
                    name, found[name], f"a field; known are {', '.join(sorted(known))}"
                )
        speeds = {name: found[name] for name in _core.default_speeds() if name in found}
        measured = found.get("measured", {})
        if not isinstance(measured, dict):
            raise self._error("measured", measured, "an object")
        dtype = found.get("dtype", "fp32")
        if dtype not in _core.DTYPES:
            raise self._error("dtype", dtype, f"one of {', '.join(_core.DTYPES)}")
        return Profile(
            {name: self._positive(name, value) for name, value in speeds.items()},
            tuple(self._rate(i, row) for i, row in enumerate(self._list(found, "rates"))),
            tuple(self._positive("rank_speed", value) for value in self._list(found, "rank_speed")),
            measured,
            dtype,
        )

    def _list(self, found: dict[str, Any], name: str) -> list[Any]:
        value = found.get(name, [])
        if not isinstance(value, list):
            raise self._error(name, value, "a list")
        return value

    def _rate(self, index: int, row: Any) -> Rate:
        where = f"rates[{index}]"
        if not isinstance(row, dict):
            raise self._error(where, row, "an object")
        op = row.get("op")
        if op not in _core.op_names():
            raise self._error(f"{where}.op", op, f"one of {', '.join(_core.op_names())}")
        for name in ("forward", *SIZES):
            if name not in row:
                raise self._error(f"{where}.{name}", None, "given in every rate")
        for name in row:
            if name not in ("op", *SIZES, *PASSES):
                raise self._error(f"{where}.{name}", row[name], "a field of a rate")
        sizes = {name: self._size(f"{where}.{name}", row[name]) for name in SIZES}
        passes = {
            name: self._positive(f"{where}.{name}", row[name]) if name in row else 0.0
            for name in PASSES
        }
        return Rate(OpShape(op, **sizes), Passes(**passes))

    def _size(self, name: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < 2**62:
            raise self._error(name, value, "a whole number from 1")
        return value

    def _positive(self, name: str, value: Any) -> float:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 < value <= LARGEST:
            raise self._error(name, value, "a number above 0")
        return float(value)

    def _error(self, name: str, value: Any, rule: str) -> InvalidArgumentError:
        shown = "missing" if value is None else json.dumps(value)[:60]
        return InvalidArgumentError(
            f"machine profile {self._path}: {name} is {shown}, not {rule}; "
            "write a new one with hpmp-bench kernels --save-profile"
        )
