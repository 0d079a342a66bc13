"""A chart as data: rows of bars along one axis; the page's script draws every chart alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

DIGITS = 5  # significant, of positions: finer than a screen shows


@dataclass(frozen=True)
class Bar:
    """From `start` to `end` on the axis, `height` of the row's; kind: an index of the legend."""

    start: float
    end: float
    kind: int
    tip: str
    height: float = 1.0

    def payload(self, span: float) -> list[Any]:
        left = round(self.start / span * 100, DIGITS - 2)
        width = round((self.end - self.start) / span * 100, DIGITS - 2)
        return [left, width, round(self.height, 3), self.kind, self.tip]


@dataclass(frozen=True)
class Row:
    """label: beside the row; "" continues the row above. pixels: its height.

    spoken: what the tips of its bars begin with, where they do not say whose they are.
    """

    label: str
    bars: list[Bar]
    pixels: int = 16
    spoken: str = ""


@dataclass(frozen=True)
class Chart:
    """span: the axis goes from 0 to it. ticks: (position, text). legend: (style, text) by kind.

    Styles are the fills of the page's style sheet; each is a colour with a pattern of its own.
    """

    name: str
    title: str
    note: str
    span: float
    ticks: list[tuple[float, str]]
    legend: list[tuple[str, str]]
    rows: list[Row] = field(default_factory=list)

    def payload(self) -> dict[str, Any]:
        span = self.span or 1.0
        return {
            "name": self.name,
            "styles": [style for style, _ in self.legend],
            "ticks": [[round(at / span * 100, 2), text] for at, text in self.ticks],
            "rows": [
                {
                    "label": row.label,
                    "pixels": row.pixels,
                    "spoken": row.spoken,
                    "bars": [bar.payload(span) for bar in row.bars],
                }
                for row in self.rows
            ],
        }


def even_ticks(span: float, text: Any, wanted: int = 6) -> list[tuple[float, str]]:
    """Round positions (1, 2 or 5 times a power of ten apart) from 0 to `span`."""
    if span <= 0:
        return [(0.0, text(0.0))]
    power = 10.0 ** _floor_log10(span / wanted)
    step = next(power * f for f in (1, 2, 5, 10) if span / (power * f) <= wanted)
    return [(step * i, text(step * i)) for i in range(int(span / step + 1e-9) + 1)]


def _floor_log10(value: float) -> int:
    return int(f"{value:e}".split("e")[1])
