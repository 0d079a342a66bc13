"""Bounds what the index maps of a graph may cost: concats of concats grow exponentially."""

from __future__ import annotations

from collections.abc import Sequence

from onnx_import.errors import Unsupported

_INDEX_MAPS = frozenset(("Concat", "Slice", "ChannelShuffle", "Flatten", "Identity"))
#: Pieces of computed values, of all values together: what planning keeps of every value, and what
#: it looks at for every reader. Both take time and memory in proportion.
MOST_PIECES = 2**20


class ViewBudget:
    """What every native value is put together from, while nodes are appended."""

    def __init__(self) -> None:
        self._pieces: dict[str, int] = {}  # of index maps
        self._left = MOST_PIECES

    def add(self, op: str, output: str, inputs: Sequence[str], channels: int) -> None:
        """Errors: `Unsupported` where the graph's index maps go beyond all measure."""
        read = sum(self._pieces.get(name, 1) for name in inputs)
        pieces = read
        if op in _INDEX_MAPS:
            pieces = channels if op == "ChannelShuffle" else min(read, channels)
            self._pieces[output] = pieces
        if pieces > 1:
            self._left -= pieces
        if self._left < 0:
            raise Unsupported(
                f"it moves {pieces} pieces of channels; concats, slices and channel shuffles of "
                f"at most {MOST_PIECES} in all are supported"
            )
