"""Changes a serialized model in its fields, so that most of what comes out still parses."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

NUMBERS = (-1, 0, 1, 2, 3, 4, 5, 7, 8, 16, 21, 255, 1000, 65535, 2**31 - 1, 2**31, 2**62, -(2**63))
REALS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-30, 1e30, float("inf"), float("-inf"), float("nan"))
TEXTS = (
    "",
    "x",
    "y",
    "Conv",
    "Relu",
    "Add",
    "Reshape",
    "Resize",
    "SAME_UPPER",
    "linear",
    "\n",
    "\0",
)
_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_MOST_CHANGES = 4


def mutated(data: bytes, others: list[bytes], seed: int) -> bytes:
    """`data` with a few random changes; the same for the same seed."""
    chance = random.Random(seed)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError:
        return _bytes_changed(data, chance)
    donor = onnx.ModelProto.FromString(chance.choice(others))
    try:
        for _ in range(chance.randint(1, _MOST_CHANGES)):
            _change(model, donor, chance)
        result = model.SerializeToString()
    except ValueError:  # text that is not UTF-8 can be parsed but not set
        return _bytes_changed(data, chance)
    return _bytes_changed(result, chance) if chance.random() < 0.05 else result


def _bytes_changed(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data or b"\0")
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(changed))
        how = chance.randrange(4)
        if how == 0:
            changed[at] = chance.randrange(256)
        elif how == 1:
            changed[at] ^= 1 << chance.randrange(8)
        elif how == 2 and len(changed) > 1:
            del changed[at : at + chance.randint(1, 16)]
            changed = changed or bytearray(b"\0")
        else:
            changed[at:at] = chance.randbytes(chance.randint(1, 16))
    return bytes(changed)


def _messages(message: Message, depth: int = 0) -> Iterator[Message]:
    yield message
    if depth > 8:
        return
    for field, value in message.ListFields():
        if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
            for part in value if field.is_repeated else [value]:
                yield from _messages(part, depth + 1)


def _change(model: Message, donor: Message, chance: random.Random) -> None:
    """One change of one field somewhere; set fields more often than unset ones."""
    message = chance.choice(list(_messages(model)))
    present = [field for field, _ in message.ListFields()]
    fields = present if present and chance.random() < 0.8 else list(message.DESCRIPTOR.fields)
    if not fields:
        return
    field = chance.choice(fields)
    if field.is_repeated:
        _change_list(message, field, model, donor, chance)
    elif field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
        _change_part(message, field, model, donor, chance)
    elif chance.random() < 0.1:
        message.ClearField(field.name)
    else:
        setattr(message, field.name, _scalar(field, getattr(message, field.name), model, chance))


def _change_list(
    message: Message, field: Any, model: Message, donor: Message, chance: random.Random
) -> None:
    values = getattr(message, field.name)
    how = chance.randrange(4)
    is_message = field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE
    if how == 0 and len(values):
        del values[chance.randrange(len(values))]
    elif how == 1 and len(values) > 1:
        a, b = chance.sample(range(len(values)), 2)
        if is_message:
            values[a].CopyFrom(values[b])
        else:
            values[a], values[b] = values[b], values[a]
    elif is_message:
        found = _of_type(field.message_type, model, donor)
        # By its bytes: a message must not be copied into a part of itself.
        values.add().ParseFromString(chance.choice(found).SerializeToString() if found else b"")
    elif how == 2 and len(values):
        at = chance.randrange(len(values))
        values[at] = _scalar(field, values[at], model, chance)
    else:
        values.append(_scalar(field, values[0] if len(values) else None, model, chance))


def _change_part(
    message: Message, field: Any, model: Message, donor: Message, chance: random.Random
) -> None:
    found = _of_type(field.message_type, model, donor)
    if chance.random() < 0.2:
        message.ClearField(field.name)
    elif found:
        copy = chance.choice(found).SerializeToString()
        getattr(message, field.name).ParseFromString(copy)


def _of_type(kind: Any, *models: Message) -> list[Message]:
    return [m for model in models for m in _messages(model) if m.DESCRIPTOR is kind]


def _scalar(field: Any, old: Any, model: Message, chance: random.Random) -> Any:
    if field.cpp_type in _INTEGERS:
        low, high = _INTEGERS[field.cpp_type]
        near = (old or 0) + chance.choice((-1, 1)) if chance.random() < 0.4 else 0
        return min(max(near or chance.choice(NUMBERS), low), high)
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        return chance.choice(field.enum_type.values).number
    if field.cpp_type in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
        return chance.choice(REALS)
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return not old
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _bytes_changed(old or b"", chance) if chance.random() < 0.7 else b""
    names = [
        name
        for m in _messages(model)
        if isinstance(m, onnx.NodeProto)
        for name in (*m.input, *m.output, m.op_type)
        if isinstance(name, str)  # what is not UTF-8 comes as bytes, and cannot be set
    ]
    return chance.choice(names) if names and chance.random() < 0.7 else chance.choice(TEXTS)
