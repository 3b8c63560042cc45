"""The asset that says which variable holds which initialiser, and how it lies there: ``onnxpress_weights.json``.

A variable is known by its number, its place in ``variables`` of the loaded object.  It holds
``array.reshape(view).transpose(perm).reshape(shape)`` of the initialiser, or of the numbers that stored integers stand
for.  The variables of a range hold what FakeQuant is told; scale and zero point follow from it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from onnxpress.errors import InvalidModel
from onnxpress_backends.tensorflow.layout.constants import Arrangement

NAME = "onnxpress_weights.json"
_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class HeldWeight:
    """A weight.

    Attributes:
        initializer: Its name in the ONNX model.
        variable: Number of the variable.
        arrangement: How the variable lies.
    """

    initializer: str
    variable: int
    arrangement: Arrangement


@dataclass(frozen=True, kw_only=True)
class HeldRange:
    """The range of a grid.

    Attributes:
        scale: Name of the scale in the ONNX model.
        zero_point: Name of the zero point; None where it is left out.
        maximum: Number of the variable that holds the greatest value.
        minimum: Number of the variable that holds the least one; None where it is `factor` times the greatest, and the
            zero point stays.
        factor: See there.
        narrow: Whether the lowest integer is not used.
    """

    scale: str
    zero_point: str | None
    maximum: int
    minimum: int | None
    factor: float
    narrow: bool


@dataclass(frozen=True, kw_only=True)
class WeightMap:
    """The whole asset.

    Attributes:
        weights: The weights, in the order of the variables.
        ranges: The ranges, likewise.
    """

    weights: tuple[HeldWeight, ...]
    ranges: tuple[HeldRange, ...]

    def write(self, path: Path) -> None:
        """Write the asset."""
        path.write_text(json.dumps({"version": _VERSION, **asdict(self)}, indent=1) + "\n", "utf-8")


def read(path: Path) -> WeightMap:
    """Read the asset.

    Raises:
        InvalidModel: It is missing, or not of this form.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        weights = tuple(_weight(row) for row in content["weights"])
        ranges = tuple(HeldRange(**row) for row in content["ranges"])
    except FileNotFoundError as error:
        raise InvalidModel(f"{path} is missing; only a SavedModel that onnxpress wrote has it") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidModel(f"{path} is no map of weights ({error}); write the SavedModel again") from error
    return WeightMap(weights=weights, ranges=ranges)


def _weight(row: Any) -> HeldWeight:
    arrangement = Arrangement(**{name: tuple(sizes) for name, sizes in row["arrangement"].items()})
    return HeldWeight(initializer=row["initializer"], variable=row["variable"], arrangement=arrangement)
