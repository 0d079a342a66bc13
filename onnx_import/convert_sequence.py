"""Converters of sequences of activations, as splits of the newer exporter make them."""

from __future__ import annotations

from onnx_import.builder import NodeContext
from onnx_import.convert_index import channels_along, cut, split_ends
from onnx_import.errors import Unsupported
from onnx_import.registry import converter
from onnx_import.values import Parts, Value


@converter("SplitToSequence")
def split_to_sequence(ctx: NodeContext) -> list[Value]:
    """Equal parts of a given size, the last one perhaps smaller, or parts of given sizes."""
    x = ctx.builder.as_channels(ctx.tensor())
    total = channels_along(ctx, x)
    given = ctx.optional(1, "split")
    if given is None or not ctx.attributes.integer("keepdims", 1):
        raise Unsupported("its parts must have given sizes and keep the dimension")
    sizes = given.integers("split")
    if given.at[0].ndim == 0:
        whole, rest = divmod(total, max(sizes[0], 1))
        sizes = [sizes[0]] * whole + [rest] * (rest > 0)
    ends = split_ends(sizes, len(sizes), total)
    parts = [
        cut(ctx, x, begin, end, f"{ctx.output}.{index}")
        for index, (begin, end) in enumerate(zip([0, *ends], ends, strict=False))
    ]
    return [Parts(tuple(parts))]


@converter("SequenceAt")
def sequence_at(ctx: NodeContext) -> list[Value]:
    parts, index = ctx.inputs[0], ctx.known(1, "position").integers("its position")[0]
    if not isinstance(parts, Parts):
        raise Unsupported("only the parts of a split can be read from a sequence")
    if not -len(parts.tensors) <= index < len(parts.tensors):
        raise Unsupported(f"position {index} is not one of {len(parts.tensors)} parts")
    return [ctx.alias(parts.tensors[index])]
