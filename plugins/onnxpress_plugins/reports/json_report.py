"""A run as JSON: everything in the record, keys in its order, and null where a figure is infinite or undefined.

Of the files that a pass leaves beside the model only the endings are told: they are there to be read.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from onnxpress.kinds import Report
from onnxpress.records import Notes, Run

FORMAT, VERSION = "onnxpress-report", 1


def render(run: Run) -> str:
    """The run as a JSON document, one key a line."""
    document = {"format": FORMAT, "version": VERSION, **_plain(run)}
    return json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        plain = {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return plain | {"files": list(value.files)} if isinstance(value, Notes) else plain
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)


JSON = Report(
    name="json", summary="Everything that was measured and done, for programs.", render=render, suffixes=(".json",)
)
