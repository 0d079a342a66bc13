"""Bytes, seconds and shares as people read them."""

from __future__ import annotations

UNKNOWN = "-"


def size(count: float | None) -> str:
    """Bytes in decimal units, three digits."""
    if count is None:
        return UNKNOWN
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            digits = f"{count / factor:.3g}" if count < 1e3 * factor else f"{count / factor:,.0f}"
            return f"{digits} {unit}"
    return f"{count:.0f} B"


def duration(seconds: float | None) -> str:
    """Seconds or milliseconds, three digits."""
    if seconds is None:
        return UNKNOWN
    if seconds >= 100:
        return f"{seconds:,.0f} s"
    return f"{seconds:.3g} s" if seconds >= 0.9995 else f"{seconds * 1e3:.3g} ms"


def percent(share: float | None) -> str:
    return UNKNOWN if share is None else f"{share * 100:.1f}%"


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
