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
from onnxpress_backends.tensorflow.constants import Arrangement

NAME = "onnxpress_weights.json"
_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Held:
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
class WeightMap:
    """The whole asset.

    Attributes:
        weights: The weights, in the order of the variables.
    """

    weights: tuple[Held, ...]

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
        weights = tuple(_held(row) for row in content["weights"])
    except FileNotFoundError as error:
        raise InvalidModel(f"{path} is missing; only a SavedModel that onnxpress wrote has it") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidModel(f"{path} is no map of weights ({error}); write the SavedModel again") from error
    return WeightMap(weights=weights)


def _held(row: Any) -> Held:
    arrangement = Arrangement(**{name: tuple(sizes) for name, sizes in row["arrangement"].items()})
    return Held(initializer=row["initializer"], variable=int(row["variable"]), arrangement=arrangement)
