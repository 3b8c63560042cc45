"""Reading AMCT's configuration in either form: JSON begins with a brace, the simplified text never does."""

from __future__ import annotations

from pathlib import Path

from onnxpress.ascend.configuration import json_form, text_form
from onnxpress.ascend.configuration.amct_config import AmctConfig
from onnxpress.errors import InvalidRecipe


def read(path: Path) -> AmctConfig:
    """Read a configuration.

    Raises:
        InvalidRecipe: The file cannot be read, is of neither form, or asks for what is not done.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRecipe(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    parse = json_form.parse if text.lstrip().startswith("{") else text_form.parse
    return parse(text, str(path))
