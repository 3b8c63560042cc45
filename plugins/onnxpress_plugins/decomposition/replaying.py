"""Split layers as an info file says, without search and without data: what `decompose` did to a model, done to another.

The other has the same layers with other numbers: trained on, say, or read from its source once more.  Weights come from
a file, for each stack all that it has or none; a stack of which the file has none is factored from the layer's weight.

AMCT's info file for PyTorch serves as well; its layers are found by the names that weights keep in the export.  What is
done is left beside the model as an info file of onnxpress.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx_ir as ir

from onnxpress import model_files
from onnxpress.data.array_files import open_arrays
from onnxpress.decomposition.info import ENDING, load, text
from onnxpress.decomposition.layer_stacks import Stack
from onnxpress.decomposition.replaying import replay
from onnxpress.errors import InvalidOption
from onnxpress.kinds import Context, Pass
from onnxpress.records import Notes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.floating[Any]]


class ReplayDecomposition(ir.passes.InPlacePass):
    """The pass.

    Args:
        stacks: How layers are split.
        weights: Numbers for initialisers of the result, by their names; other names are told and passed over.
        notes: Where to say what was done.
    """

    def __init__(self, stacks: Sequence[Stack], weights: Mapping[str, Array], notes: Notes) -> None:
        super().__init__()
        self._stacks = stacks
        self._weights = weights
        self._notes = notes

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Split the layers.

        Raises:
            InvalidData: A layer is not in the model, or not as it was; weights do not fit.
            UnsupportedModel: A layer cannot be split.
        """
        made = replay(self._stacks, model, weights=self._weights, strict=False)
        for stack in made:
            self._notes.count(f"{stack.layer.operator} decomposed ({stack.form})")
        self._notes.files[ENDING] = text(made)
        known = {name for graph in model.graphs() for name in graph.initializers}
        strangers = [name for name in self._weights if name not in known]
        self._notes.count("weights loaded", len(self._weights) - len(strangers))
        if strangers:
            count = f"{len(strangers)} of {len(self._weights)} given weights"
            self._notes.warn(f"{count} are not in the model and were passed over, {strangers[0]!r} first")
        return ir.passes.PassResult(model, modified=bool(made) or len(strangers) < len(self._weights))


def _weights_of(path: Path) -> dict[str, Array]:
    """The initialisers of an ONNX file, or the arrays of an ``.npz``."""
    if path.suffix == ".npz":
        return {name: array.read() for name, array in open_arrays(path).items()}
    if path.suffix != ".onnx":
        raise InvalidOption(f"pass 'replay-decomposition': weights is an .onnx or .npz file, not {path.name!r}")
    values = [value for graph in model_files.load(path).graphs() for value in graph.initializers.values()]
    return {value.name: value.const_value.numpy() for value in values if value.name and value.const_value is not None}


def _build(context: Context, *, info: Path, weights: Path | None = None) -> ir.passes.PassBase:
    return ReplayDecomposition(load(info), {} if weights is None else _weights_of(weights), context.notes)


REPLAY_DECOMPOSITION = Pass(
    name="replay-decomposition",
    summary="Split layers as the info file of an earlier run says, or AMCT's, and load their weights",
    build=_build,
    extras=(ENDING,),
)
