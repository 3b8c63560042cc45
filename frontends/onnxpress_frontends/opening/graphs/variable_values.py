"""The variables that an output needs get their values from a checkpoint; no initialiser and no restore operation runs.

A variable of TensorFlow 1 proper (``VariableV2``, a reference) becomes a weight: whoever took the reference takes the
value.  A resource (``VarHandleOp``) becomes a `tf.Variable`, which the function captures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from onnxpress.errors import InvalidModel, UnsupportedModel
from onnxpress_frontends.opening.graphs.checkpoints import Checkpoint
from onnxpress_frontends.opening.graphs.detached_weights import LARGEST_CONSTANT, fix, stand_in
from onnxpress_frontends.opening.graphs.names import listed
from onnxpress_frontends.opening.graphs.saver_keys import Key
from onnxpress_frontends.opening.graphs.variables import VARIABLES
from onnxpress_frontends.tensorflow_import import import_tensorflow

if TYPE_CHECKING:
    from onnxpress.kinds import Array

_REFERENCE_OPS = {
    f"Ref{name}": name for name in ("Identity", "Switch", "Merge", "Enter", "Exit", "NextIteration", "Select")
}


_OTHER = "give the checkpoint that belongs to this graph"


class Values(Protocol):
    """Where the values of variables are."""

    def read(self, nodes: Mapping[str, Any]) -> dict[str, Array]:
        """The values of variables, by node name."""


class CheckpointValues:
    """Values from a checkpoint.

    Args:
        prefix: The checkpoint; it is opened when the first value is asked for.
        keys: Variables of the graph to their keys in it.
    """

    def __init__(self, prefix: str, keys: Mapping[str, Key]) -> None:
        self._prefix = prefix
        self._keys = keys

    def read(self, nodes: Mapping[str, Any]) -> dict[str, Array]:
        """The values of variables, by node name.

        Raises:
            InvalidModel: The checkpoint lacks one, or has it in another shape.
        """
        if not nodes:
            return {}
        checkpoint = Checkpoint(self._prefix)
        keys = {name: self._keys[name] for name in nodes}
        missing = sorted({key.name for key in keys.values() if key.name not in checkpoint.shapes})
        if missing:
            raise InvalidModel(
                f"checkpoint {self._prefix} lacks {len(missing)} of the {len(nodes)} variables that the outputs need: "
                f"{listed(missing, 4)}; it has {listed([*checkpoint.shapes], 4)}; {_OTHER}"
            )
        for name, key in keys.items():
            self._refuse_misfit(nodes[name], key.shape(checkpoint.shapes[key.name]))
        arrays = {name: key.cut(checkpoint.read(key.name)) for name, key in keys.items()}
        for name, array in arrays.items():
            self._refuse_type(nodes[name], array)
        return arrays

    def _refuse_misfit(self, node: Any, found: tuple[int, ...]) -> None:
        declared = node.attr["shape"].shape
        expected = tuple(dim.size for dim in declared.dim)
        if not declared.unknown_rank and not _fits(expected, found):
            raise InvalidModel(
                f"variable {node.name!r} has shape {_shown(expected)} in the graph and {_shown(found)} in checkpoint "
                f"{self._prefix}; {_OTHER}"
            )

    def _refuse_type(self, node: Any, array: Array) -> None:
        if import_tensorflow().as_dtype(array.dtype).as_datatype_enum != node.attr["dtype"].type:
            raise InvalidModel(
                f"variable {node.name!r} has another type than in checkpoint {self._prefix}, where it is "
                f"{array.dtype.name}; {_OTHER}"
            )


class NoValues:
    """What a bare graph has.

    Args:
        source: What messages call it.
    """

    def __init__(self, source: str) -> None:
        self._source = source

    def read(self, nodes: Mapping[str, Any]) -> dict[str, Array]:
        """Nothing.

        Raises:
            UnsupportedModel: There are variables.
        """
        if nodes:
            raise UnsupportedModel(
                f"{self._source} is not frozen: it holds {len(nodes)} variables without values, "
                f"first {next(iter(nodes))!r}; give its checkpoint (.meta with .index and .data) or SavedModel"
            )
        return {}


def give_values(graph: Any, values: Values) -> tuple[dict[str, Array], dict[str, Any]]:
    """Take the variables out of a pruned `GraphDef`, in place.

    Returns:
        Weights, and `tf.Variable` objects, by the name of the node that stands for each.
    """
    tf = import_tensorflow()
    nodes = {node.name: node for node in graph.node if node.op in VARIABLES}
    arrays = values.read(nodes)
    weights: dict[str, Array] = {}
    variables: dict[str, Any] = {}
    for name, node in nodes.items():
        array = arrays.pop(name)
        if node.op == "VarHandleOp":
            variables[name] = tf.Variable(array, trainable=False)
        elif array.size > LARGEST_CONSTANT:
            stand_in(node, node.attr["dtype"].type, array.shape)
            weights[name] = array
        else:
            fix(node, array)
    for node in graph.node:
        node.op = _REFERENCE_OPS.get(node.op, node.op)
    return weights, variables


def _fits(declared: tuple[int, ...], found: tuple[int, ...]) -> bool:
    """Early graphs say () where they mean that the shape is not known."""
    pairs = zip(declared, found, strict=False)
    return not declared or (len(declared) == len(found) and all(size in (-1, actual) for size, actual in pairs))


def _shown(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "()"
