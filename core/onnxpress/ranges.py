"""The range of values a tensor takes, as calibration found it, and its JSON file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from onnxpress.errors import InvalidData
from onnxpress.files import atomic

META_KEY = "range"
"""Where a pass finds the range of an ``onnx_ir.Value``: ``value.meta[META_KEY]``."""

_FORMAT = "onnxpress-ranges"
_VERSION = 1


@dataclass(frozen=True)
class Range:
    """Closed interval of float values that quantisation should represent.

    Attributes:
        low: Smallest value, finite.
        high: Largest value, finite, not below `low`.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            raise InvalidData(f"a range must be finite and ordered, not [{self.low}, {self.high}]")

    def union(self, other: Range) -> Range:
        """The smallest range that holds both."""
        return Range(min(self.low, other.low), max(self.high, other.high))


def save(ranges: Mapping[str, Range], path: Path) -> None:
    """Write ranges by tensor name, sorted, exactly (shortest round-trip floats)."""
    document = {
        "format": _FORMAT,
        "version": _VERSION,
        "ranges": {name: [ranges[name].low, ranges[name].high] for name in sorted(ranges)},
    }
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def load(path: Path) -> dict[str, Range]:
    """Read a file written by `save`.

    Raises:
        InvalidData: The file is missing, is not JSON, or is not a range file.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidData(f"cannot read ranges from {path}: {error}") from error
    if not isinstance(document, dict) or document.get("format") != _FORMAT or document.get("version") != _VERSION:
        raise InvalidData(f"{path} is not a range file of onnxpress (format {_FORMAT!r}, version {_VERSION})")
    try:
        return {str(name): Range(float(low), float(high)) for name, (low, high) in document["ranges"].items()}
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise InvalidData(f"{path}: every range must be a name with two numbers [low, high] ({error})") from error
