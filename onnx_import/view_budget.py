"""Bounds what the index maps of a graph may cost: concats of concats grow exponentially."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onnx_import.errors import Unsupported

_INDEX_MAPS = frozenset(("Concat", "Slice", "ChannelShuffle", "Flatten", "Identity"))
_MOST_PIECES = 2048
_DEEPEST = 1000
#: Planning takes time with the square of a value's pieces, and with what their readers resolve.
_SQUARES, _RESOLVED = 2**24, 2**27


@dataclass(frozen=True)
class _View:
    """pieces: of computed values. depth: of maps upon maps. cost: of resolving it once."""

    pieces: int = 1
    depth: int = 0
    cost: int = 0


class ViewBudget:
    """What every native value is put together from, while nodes are appended."""

    def __init__(self) -> None:
        self._views: dict[str, _View] = {}
        self._squares, self._resolved = _SQUARES, _RESOLVED

    def add(self, op: str, output: str, inputs: Sequence[str], channels: int) -> None:
        """Errors: `Unsupported` where the graph's index maps go beyond all measure."""
        views = [self._views.get(name, _View()) for name in inputs]
        cost = sum(view.cost for view in views)
        if op not in _INDEX_MAPS:
            self._resolved -= cost
            if self._resolved < 0:
                raise Unsupported("its inputs are put together from too many pieces")
            return
        pieces = channels if op == "ChannelShuffle" else sum(view.pieces for view in views)
        pieces = min(pieces, channels)
        depth = max((view.depth for view in views), default=0) + 1
        if op in ("Concat", "ChannelShuffle"):
            self._squares -= pieces**2
        if pieces > _MOST_PIECES or depth > _DEEPEST or self._squares < 0:
            raise Unsupported(
                f"it moves {pieces} pieces of channels through {depth} steps; at most "
                f"{_MOST_PIECES} through {_DEEPEST}, and few such nodes, are supported"
            )
        self._views[output] = _View(pieces, depth, cost + pieces**2)
