"""Files of TensorFlow's messages, binary or text: either may stand under either suffix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from onnxpress.errors import InvalidModel
from onnxpress_frontends.tensorflow_import import import_tensorflow

TEXT = (".pbtxt", ".prototxt")
_LIMIT = 2**31 - 1
"""Bytes that a message can have."""


def read_message(path: Path, kind: type, what: str) -> Any:
    """The message of class `kind` in a file; `what` is what messages call it, e.g. ``"a TensorFlow graph"``.

    Raises:
        InvalidModel: The file is missing, too large, truncated or corrupt.
    """
    import_tensorflow()
    content = _content(path)
    parsers = (_from_text, _from_bytes) if path.suffix.lower() in TEXT else (_from_bytes, _from_text)
    for parse in parsers:
        message = parse(content, kind)
        if message is not None:
            return message
    raise InvalidModel(f"{path} is not {what}, or is truncated or corrupt")


def _content(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > _LIMIT:
            raise InvalidModel(
                f"{path} has {size} bytes, more than the 2 GB that a TensorFlow graph can have; "
                "give the checkpoint or SavedModel that it was made of"
            )
        return path.read_bytes()
    except FileNotFoundError as error:
        raise InvalidModel(f"{path} does not exist") from error
    except OSError as error:
        raise InvalidModel(f"cannot read {path}: {error.strerror}") from error


def _from_bytes(content: bytes, kind: Any) -> Any:
    from google.protobuf.message import DecodeError

    try:
        return kind.FromString(content)
    except DecodeError:
        return None


def _from_text(content: bytes, kind: Any) -> Any:
    from google.protobuf import text_format

    try:
        return text_format.Parse(content.decode("utf-8"), kind())
    except (text_format.ParseError, UnicodeDecodeError):
        return None
