"""Protobuf's text format for messages whose types are data, since AMCT's own ``.proto`` files are not at hand.

A schema maps the name of each message to its fields, and each field to what it holds, in the words of a ``.proto``
file: ``float``, ``repeated int32``, the name of another message.  A tuple of words instead of fields is an enumeration.
Text carries the names of fields and not their tags, so one schema can hold the fields of every dialect of a file.

Messages are plain dictionaries: the fields that are there by name, repeated ones as lists, enumerations as words.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from onnxpress.errors import InvalidData

Schema = Mapping[str, Mapping[str, str] | tuple[str, ...]]
"""Messages and enumerations by name; the first is what a file holds."""

_REPEATED = "repeated "


def parse(text: str, schema: Schema, *, source: str, landmark: str) -> dict[str, Any]:
    """Read a message of the first type of `schema`.

    Args:
        text: Protobuf text.
        schema: The types.
        source: What the text is called in an error.
        landmark: A text field; an error tells the last one before it.

    Returns:
        The fields that the text gives.  Numbers of a ``float`` field are float32 numbers.

    Raises:
        InvalidData: The text is cut short, has a field that the schema lacks, or a value that does not fit.
    """
    from google.protobuf import text_format

    kind = _message_types(schema)
    root = next(iter(schema))
    try:
        return _plain(text_format.Parse(text, kind[root]()), schema, root)
    except text_format.ParseError as error:
        line = error.GetLine() or 1
        where = _landmark(text.split("\n")[:line], landmark)
        raise InvalidData(f"{source}, line {line}{where}: {_sentence(str(error), schema)}") from error


def render(message: Mapping[str, Any], schema: Schema) -> str:
    """Write a message of the first type of `schema`; every character that is not ASCII is escaped.

    Args:
        message: Fields by name, in any order.
        schema: The types.

    Returns:
        Text that ends with a line feed; float32 numbers are spelt so that they are read back bit by bit.
    """
    from google.protobuf import text_format

    root = next(iter(schema))
    written: str = text_format.MessageToString(_filled(_message_types(schema)[root](), message), as_utf8=False)
    return written


def _message_types(schema: Schema) -> dict[str, Any]:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    fields = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="messages.proto")
    for name, content in schema.items():
        if isinstance(content, tuple):
            words = [descriptor_pb2.EnumValueDescriptorProto(name=word, number=n) for n, word in enumerate(content)]
            file.enum_type.add(name=name, value=words)
            continue
        message = file.message_type.add(name=name)
        for number, (field, spelt) in enumerate(content.items(), 1):
            held = spelt.removeprefix(_REPEATED)
            label = fields.LABEL_REPEATED if spelt.startswith(_REPEATED) else fields.LABEL_OPTIONAL
            kind = {"type_name": f".{held}"} if held in schema else {"type": fields.Type.Value(f"TYPE_{held.upper()}")}
            message.field.add(name=field, number=number, label=label, **kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = {name: pool.FindMessageTypeByName(name) for name in schema if not isinstance(schema[name], tuple)}
    return {name: message_factory.GetMessageClass(descriptor) for name, descriptor in found.items()}


def _plain(message: Any, schema: Schema, name: str) -> dict[str, Any]:
    fields = schema[name]
    assert isinstance(fields, Mapping)

    def value(given: Any, held: str) -> Any:
        content = schema.get(held)
        if content is None:
            return given
        return content[given] if isinstance(content, tuple) else _plain(given, schema, held)

    plain = {}
    for field, given in message.ListFields():
        held = fields[field.name].removeprefix(_REPEATED)
        repeated = fields[field.name] != held
        plain[field.name] = [value(item, held) for item in given] if repeated else value(given, held)
    return plain


def _filled(message: Any, plain: Mapping[str, Any]) -> Any:
    """`message` with the fields of `plain`; the words of an enumeration are taken as they are."""
    for name, given in plain.items():
        if isinstance(given, Mapping):
            getattr(message, name).SetInParent()
            _filled(getattr(message, name), given)
        elif isinstance(given, str | bytes) or not isinstance(given, Sequence):
            setattr(message, name, given)
        else:
            for item in given:
                if isinstance(item, Mapping):
                    _filled(getattr(message, name).add(), item)
                else:
                    getattr(message, name).append(item)
    return message


def _landmark(lines: Sequence[str], field: str) -> str:
    found = re.findall(rf'\b{field}\s*:\s*(?:"([^"\n]*)"|\'([^\'\n]*)\')', "\n".join(lines))
    return f", after {field} {''.join(found[-1])!r}" if found else ""


def _sentence(message: str, schema: Schema) -> str:
    """What protobuf says, without the line that it quotes."""
    words = re.sub(r"^\d+:\d+ : (?:'.*': )?", "", message, flags=re.DOTALL).rstrip(".")
    if words.startswith('Expected "}"') or "missing ending quote" in words:
        return f"{words}; the text may be cut short"
    unknown = re.match(r'Message type "([^"]*)" has no field named "([^"]*)"', words)
    if unknown is None:
        return words
    kind, name = unknown[1].rpartition(".")[2], unknown[2]
    near = difflib.get_close_matches(name, schema.get(kind, ()), n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(schema.get(kind, ()))}"
    return f"unknown field {name!r}; {hint}"
