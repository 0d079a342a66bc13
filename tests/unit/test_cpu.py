"""A processor that cannot run the core is told so before the core is loaded."""

from __future__ import annotations

from pyhpmp.cpu import REQUIRED, missing_features


def test_what_is_missing_is_named() -> None:
    flags = " ".join(sorted(REQUIRED - {"avx2", "fma"}))
    assert missing_features(f"processor\t: 0\nflags\t\t: sse2 {flags}\n") == ["avx2", "fma"]


def test_nothing_is_missing_where_all_flags_are_there() -> None:
    assert missing_features(f"flags : {' '.join(REQUIRED)}") == []


def test_an_unknown_cpuinfo_is_not_refused() -> None:
    assert missing_features("processor : 0\n") == []
