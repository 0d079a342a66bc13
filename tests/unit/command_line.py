"""Calls a command in this process and keeps what it said."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        result: dict[str, Any] = json.loads(self.out)
        return result

    def is_one_line_mistake(self) -> bool:
        """A user's mistake: exit code 2, one line on stderr, nothing on stdout."""
        one_line = self.err.count("\n") == 1 and self.err.endswith("\n")
        return self.code == 2 and one_line and self.out == "" and "Traceback" not in self.err


def say(
    capsys: pytest.CaptureFixture[str], main: Callable[[list[str]], int], *words: object
) -> Said:
    """Runs `main` with the words of a command line."""
    capsys.readouterr()
    try:
        code = main([str(word) for word in words])
    except SystemExit as error:
        code = int(error.code or 0)
    captured = capsys.readouterr()
    return Said(code, captured.out, captured.err)
