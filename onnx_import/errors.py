"""The two ways in which a model can be refused: as a whole, or one node of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

MOST_ISSUES = 1000  # of a model that are looked for; a file with more is no network
_LONGEST_NAME = 100
_LONGEST_MESSAGE = 6000
_QUOTED = re.compile(rf"'[^']{{{_LONGEST_NAME},}}'|\"[^\"]{{{_LONGEST_NAME},}}\"")
_MOST_NODES, _MOST_REASONS = 8, 30


class ModelError(ValueError):
    """The user's model cannot be used; the message is one line with the cure."""

    def __init__(self, message: str) -> None:
        super().__init__(safe_text(message))


class ConversionError(ModelError):
    """The model's opset cannot be brought to the importer's."""


class Unsupported(Exception):
    """One node cannot be converted; collected, so that all are reported together."""


@dataclass(frozen=True)
class Issue:
    """A node that cannot be converted, and why."""

    op: str
    node: str
    reason: str


def safe_text(text: str) -> str:
    """One line for a terminal: names come from files, may hold anything and be of any length."""
    text = _QUOTED.sub(lambda found: _shortened(found[0], _LONGEST_NAME), text)
    text = _shortened(" ".join(text.splitlines()), _LONGEST_MESSAGE)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _shortened(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    return f"{text[: longest * 2 // 3]}...{text[-longest // 4 :]}"


def unsupported_error(model: str, issues: Sequence[Issue]) -> ModelError:
    """One error that names the unsupported nodes, those with equal reasons side by side."""
    groups = grouped(issues)
    listed = [
        f"{_shortened(op, _LONGEST_NAME)} {_named(nodes)}: {reason}"
        for (op, reason), nodes in list(groups.items())[:_MOST_REASONS]
    ]
    if len(groups) > _MOST_REASONS:
        listed.append(f"and {len(groups) - _MOST_REASONS} more reasons")
    count = "1 node" if len(issues) == 1 else f"{len(issues)} nodes"
    count += " or more" if len(issues) == MOST_ISSUES else ""
    return ModelError(f"cannot import {model}: {count} not supported: {'; '.join(listed)}")


def grouped(issues: Sequence[Issue]) -> dict[tuple[str, str], list[str]]:
    """The nodes of every (operator, reason), in the order of the file."""
    groups: dict[tuple[str, str], list[str]] = {}
    for issue in issues:
        groups.setdefault((issue.op, issue.reason), []).append(issue.node)
    return groups


def _named(nodes: Sequence[str]) -> str:
    names = ", ".join(_shortened(repr(node), _LONGEST_NAME) for node in nodes[:_MOST_NODES])
    more = len(nodes) - _MOST_NODES
    return f"{names} and {more} more" if more > 0 else names


def one_line(error: Exception) -> str:
    """The text of a library's error, for use in a message of ours."""
    return " ".join(str(error).split())[:300]
