"""The two ways in which a model can be refused: as a whole, or one node of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class ModelError(ValueError):
    """The user's model cannot be used; the message is one line with the cure."""

    def __init__(self, message: str) -> None:
        # Names come from the file and may hold anything.
        super().__init__(" ".join(message.splitlines()))


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


def unsupported_error(model: str, issues: Sequence[Issue]) -> ModelError:
    """One error that names every unsupported node, those with equal reasons side by side."""
    groups: dict[tuple[str, str], list[str]] = {}
    for issue in issues:
        groups.setdefault((issue.op, issue.reason), []).append(issue.node)
    listed = "; ".join(
        f"{op} {', '.join(repr(node) for node in nodes)}: {reason}"
        for (op, reason), nodes in groups.items()
    )
    count = "1 node" if len(issues) == 1 else f"{len(issues)} nodes"
    return ModelError(f"cannot import {model}: {count} not supported: {listed}")


def one_line(error: Exception) -> str:
    """The text of a library's error, for use in a message of ours."""
    return " ".join(str(error).split())[:300]
